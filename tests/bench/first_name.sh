#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# From the begin of a stall of node to its JavaScript function on the screen: a dashboard on a terminal, a
# program that writes down when it began to block. The first stall that a fresh dashboard sees, then later ones.
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
cat >"$T/block.js" <<'E1'
const fs = require('fs');
const now = () => process.hrtime.bigint();
const names = process.argv.slice(2);
for (let i = 0; i < names.length; i++) {
  const name = names[i];
  global[name] = new Function('now', `return { ${name}() { const end = now() + 400000000n; while (now() < end); } }.${name}`)(now);
}
let turn = 0;
setInterval(() => {}, 20);
process.stdin.on('data', () => setTimeout(() => {
  fs.writeSync(1, now() + '\n');
  global[names[turn++]]();
}, 1));
fs.writeSync(1, 'ready\n');
E1
python3 - "$(realpath "$PS")" "$node" "$T" <<'E2'
import fcntl, json, os, pty, select, struct, subprocess, sys, termios, time
tool, node, folder = sys.argv[1:]
env = dict(os.environ, TERM='xterm-256color', LC_ALL='C.UTF-8', XDG_CONFIG_HOME=folder)
rounds, later = int(os.environ.get('ROUNDS', 8)), 3
names = ['addUpAll', 'sortRows', 'hashThem', 'zipPages']

def watch(fd, text, seconds):
    seen, end = b'', time.monotonic() + seconds
    while text not in seen:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return None
        seen += os.read(fd, 65536)
    return time.monotonic_ns()

def drain(fd, seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            os.read(fd, 65536)

first, next_ones = [], []
for _ in range(rounds):
    target = subprocess.Popen([node, folder + '/block.js'] + names, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    target.stdout.readline()
    pid, fd = pty.fork()
    if not pid:
        os.execve(tool, [tool, 'top', str(target.pid)], env)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 36, 120, 0, 0))
    if not watch(fd, b'Overview', 10):
        sys.exit('no picture')
    drain(fd, 2)
    os.write(fd, b'2')
    drain(fd, 0.3)
    for turn in range(1 + later):
        drain(fd, 0.5 + 0.037 * turn)
        target.stdin.write('go\n')
        began = int(target.stdout.readline())
        seen = watch(fd, names[turn].encode(), 5)
        (next_ones if turn else first).append((seen - began) / 1e6 if seen else 5000)
    os.write(fd, b'q')
    drain(fd, 0.2)
    os.close(fd)
    os.waitpid(pid, 0)
    target.kill()
for name, values in (('first', sorted(first)), ('later', sorted(next_ones))):
    print(json.dumps({'name': f'naming.{name}', 'unit': 'ms', 'least': round(values[0]), 'median': round(values[len(values) // 2]),
                      'most': round(values[-1]), 'of': len(values)}), flush=True)
E2
