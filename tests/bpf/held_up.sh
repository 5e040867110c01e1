#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A hundred connections and twenty timers of JavaScript come due while node's loop
# is blocked for 300 ms, three times: each stall tells how many it held up.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)

cat >"$T/clients.py" <<'EOF'
import os, socket, subprocess, sys
out, tool, *command = sys.argv[1:]
target = subprocess.Popen(command + ['tests/data/held_up.js', '20'], stdout=subprocess.PIPE, text=True)
port = int(target.stdout.readline().split()[1])
clients = [socket.create_connection(('127.0.0.1', port)) for _ in range(100)]
ready, told = os.pipe()
stat = subprocess.Popen(command[:-1] + [tool, 'stat', '-d', '5.5s', '--json', '--ready-fd', str(told), str(target.pid)],
                        stdout=open(out, 'w'), pass_fds=[told])
os.close(told)
os.read(ready, 1)
clients[0].send(b'go')
for _ in range(3):
    if not target.stdout.readline():
        break
    for client in clients:
        client.send(b'x')
status = stat.wait()
target.kill()
target.wait()
sys.exit(status)
EOF
stalls="[s for s in d['loops'][0]['stalls'] if s['duration_ns'] > 250e6]"
for program in "$node" "$B/peers/usr/bin/node-debian"; do
	[ -x "$program" ] || continue
	timeout 30 python3 "$T/clients.py" "$T/stat.json" "$PS" "${first[@]}" "$program" 2>"$T/err" || fail "exit $?: $(cat "$T/err")"
	holds "$T/stat.json" "len($stalls) == 3"
	holds "$T/stat.json" "all(95 <= s['held_up']['fds'] <= 105 for s in $stalls)"
	json "$T/stat.json" "[s['held_up'] for s in $stalls]"
	holds "$T/stat.json" "all(19 <= s['held_up']['timers'] <= 21 for s in $stalls)"
	# the first timer was due 20 ms after they were set; where the kernel's stamps are there, a connection waited longer
	holds "$T/stat.json" "all(s['duration_ns'] - 40e6 < s['held_up']['longest_ns'] <= s['duration_ns'] + 1e6 for s in $stalls)"
done
