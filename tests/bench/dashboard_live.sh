#!/usr/bin/env bash
# The dashboard on a terminal, as a user feels it: the first picture, a key to its picture while 100,000 events a second
# flow, bytes to the terminal, CPU idle and under load, memory.
. tests/lib.sh
python3 - "$PWD/$PS" "$PWD/$B/tests/programs/event_storm" "$T" <<'E2'
import fcntl, os, pty, re, select, struct, subprocess, sys, termios, time
tool, storm, folder = sys.argv[1:]
env = dict(os.environ, TERM='xterm-256color', LC_ALL='C.UTF-8', XDG_CONFIG_HOME=folder)

def ticks(pid):
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])

def memory(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1)) // 1024

class Terminal:
    def __init__(self, arguments):
        self.begun = time.monotonic()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execve(tool, [tool] + arguments, env)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 36, 120, 0, 0))
    def until(self, text, seconds=10):
        seen, end = b'', time.monotonic() + seconds
        while text not in seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise SystemExit(f'no {text} within {seconds} s: {seen[-300:]}')
            seen += os.read(self.fd, 65536)
        return time.monotonic()
    def drain(self, seconds):
        count, end = 0, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                count += len(os.read(self.fd, 65536))
        return count
    def close(self):
        os.write(self.fd, b'q')
        os.waitpid(self.pid, 0)

def measure(name, target, wanted_cpu):
    first = []
    for _ in range(5):
        terminal = Terminal(target)
        first.append(terminal.until(b'Overview') - terminal.begun)
        terminal.close()
    terminal = Terminal(target)
    terminal.until(b'Overview')
    terminal.drain(2)
    before, begin = ticks(terminal.pid), time.monotonic()
    sent = terminal.drain(10)
    cpu = (ticks(terminal.pid) - before) / os.sysconf('SC_CLK_TCK') / (time.monotonic() - begin) * 100
    lags = []
    for i in range(40):
        key, text = ((b'2', b'kept'), (b'9', b'LOSS'))[i % 2]
        terminal.drain(0.03)
        begin = time.monotonic()
        os.write(terminal.fd, key)
        lags.append(terminal.until(text) - begin)
    lags.sort()
    print(f'{name}: first picture {sorted(first)[2]*1e3:.0f} ms (wanted 300), key to picture p50 {lags[20]*1e3:.1f} ms, '
          f'p99 {lags[-1]*1e3:.1f} ms (wanted 50), {sent/10/1000:.1f} kB/s to the terminal (wanted 20), '
          f'CPU {cpu:.1f} % (wanted {wanted_cpu}), memory {memory(terminal.pid)} MiB (wanted 64)', flush=True)
    terminal.close()

for name, rate, wanted in (('idle', 0, '1'), ('100,000 events/s', 100000, 'n/a: the events themselves')):
    program = subprocess.Popen([storm, str(rate)], stdout=subprocess.PIPE)
    program.stdout.readline()
    measure(name, ['top', str(program.pid), '--no-bpf'], wanted)
    program.kill()
E2
