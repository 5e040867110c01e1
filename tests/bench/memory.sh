#!/usr/bin/env bash
# The memory of `top` on node while it stalls again and again, each time with other stacks: after so many stalls, and by
# mapping at the end. As root. MEMORY_STALLS (2000) take about 0.1 s each.
. tests/lib.sh
python3 - "$PWD/$PS" "$PWD/tests/data/distinct_stalls.js" "$T" "${MEMORY_STALLS:-2000}" <<'E2'
import fcntl, os, pty, re, select, struct, subprocess, sys, termios, threading
tool, script, folder, count = *sys.argv[1:4], int(sys.argv[4])
env = dict(os.environ, TERM='xterm-256color', LC_ALL='C.UTF-8', XDG_CONFIG_HOME=folder)
node = subprocess.Popen(['node', script, str(count), '90'], stdout=subprocess.PIPE)
done = [0]

def count_stalls():
    for line in node.stdout:
        done[0] = int(line)

def of(pid):
    values = dict(re.findall(r'(Vm\w+|Rss\w+):\s+(\d+) kB', open(f'/proc/{pid}/status').read()))
    return {name: int(value) / 1024 for name, value in values.items()}

def by_mapping(pid):
    rows, name = {}, ''
    for line in open(f'/proc/{pid}/smaps'):
        if head := re.match(r'[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)', line):
            name = os.path.basename(head.group(1)) or 'anonymous'
        elif rss := re.match(r'Rss:\s+(\d+)', line):
            rows[name] = rows.get(name, 0) + int(rss.group(1)) / 1024
    return sorted(rows.items(), key=lambda row: -row[1])

pid, fd = pty.fork()
if not pid:
    os.execve(tool, [tool, 'top', str(node.pid)], env)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 36, 120, 0, 0))
threading.Thread(target=count_stalls, daemon=True).start()
marks = [n for n in (50, 250, 500, 1000, 2000, 3000, 4000, 5000, 6000, 8000) if n < count] + [count]
while marks:
    if select.select([fd], [], [], 0.1)[0]:
        os.read(fd, 65536)
    if done[0] >= marks[0]:
        now = of(pid)
        print(f'{marks.pop(0)} stalls: {now["VmRSS"]:.1f} MiB (wanted 64), of it {now["RssAnon"]:.1f} its own, at most so far '
              f'{now["VmHWM"]:.1f}', flush=True)
for name, size in by_mapping(pid)[:12]:
    print(f'{size:8.1f} MiB  {name}')
os.write(fd, b'q')
os.waitpid(pid, 0)
node.kill()
E2
