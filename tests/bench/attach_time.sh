#!/usr/bin/env bash
# B9: from the start of the tool to the first picture of a live node on a
# terminal, beside bpftrace from its start to its first line. Prints JSON.
#   attach_time.sh [ROUNDS]
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
rounds=${1:-8}
port=$(free_port)
"$node" -e "require('http').createServer((q, s) => s.end('hello')).listen($port, '127.0.0.1')" & pids+=($!)
target=$!
serves() { curl -s "http://127.0.0.1:$port/"; }
until_ok 10 serves || fail "node does not serve"
bpftrace=$(program bpftrace || true)
python3 - "$PS" "$target" "$rounds" "$bpftrace" <<'PY'
import json, os, pty, select, signal, statistics, struct, sys, fcntl, termios, time
tool, target, rounds, bpftrace = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]

def first(command, wanted):  # seconds until the terminal shows `wanted`
    start = time.monotonic()
    pid, fd = pty.fork()
    if not pid:
        os.environ['TERM'] = 'xterm-256color'
        os.execv(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 36, 120, 0, 0))
    seen = b''
    try:
        while wanted not in seen and time.monotonic() - start < 20:
            if select.select([fd], [], [], 1)[0]:
                seen += os.read(fd, 65536)
    except OSError:
        pass
    took = time.monotonic() - start
    os.kill(pid, signal.SIGINT)
    try: # what is asked to end while it begins may not hear it
        while select.select([fd], [], [], 5)[0] and os.read(fd, 65536):
            pass
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(fd)
    return took if wanted in seen else None

script = 'BEGIN { printf("first\\n"); } tracepoint:syscalls:sys_enter_epoll_pwait /pid == %s/ { @ = count(); }' % target
times = {'pollscope': [], 'bpftrace': []}
for i in range(rounds):
    times['pollscope'].append(first([tool, target], b'LOOP'))
    if bpftrace:
        times['bpftrace'].append(first(['/usr/bin/unshare', '-m', 'sh', '-c', 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"', 'sh', bpftrace, '-q', '-e', script], b'first'))
out = {'bench': 'attach_time', 'unit': 'ms', 'rounds': rounds}
for name, t in times.items():
    t = [x * 1000 for x in t if x is not None]
    if t:
        out[name] = {'min': round(min(t)), 'median': round(statistics.median(t)), 'max': round(max(t))}
print(json.dumps(out))
PY
