#!/usr/bin/env bash
# What is registered with a poller is told as the kernel has it: 200 connections
# of a node server, one with unread bytes, and as many eventfds as may be open.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"

"$node" tests/data/idle_server.js >"$T/port" 2>"$T/err" & pids+=("$!")
pid=$!
until_ok 10 test -s "$T/port" || fail "node did not start: $(cat "$T/err")"
cat >"$T/clients.py" <<'PY'
import socket, sys, time
clients = [socket.create_connection(('127.0.0.1', int(sys.argv[1]))) for _ in range(200)]
print(clients[7].getsockname()[1], flush=True)
sys.stdin.readline()
clients[3].sendall(b'stop')
time.sleep(0.3)
clients[7].sendall(b'x' * 1000)
time.sleep(60)
PY
mkfifo "$T/go" "$T/ready"
exec 7<>"$T/go"
python3 "$T/clients.py" "$(cat "$T/port")" <"$T/go" >"$T/writer" & pids+=("$!")
registered() { grep -c '^tfd:' "/proc/$pid/fdinfo/$1" 2>/dev/null; }
full() {
	# shellcheck disable=SC2044 # numbers, one a line
	for e in $(find "/proc/$pid/fd" -lname 'anon_inode:\[eventpoll\]' -printf '%f\n'); do
		[ "$(registered "$e")" -ge 201 ] && epoll=$e && return 0
	done
	return 1
}
until_ok 10 full && full || fail "the server does not have its connections"
writer=$(cat "$T/writer")

# without BPF: what /proc has, the rest unknown with a reason
$PS stat -d 1s --json --no-bpf "$pid" >"$T/proc.json" 2>"$T/err" || fail "stat --no-bpf: exit $?: $(cat "$T/err")"
holds "$T/proc.json" "any(l['poller'] and l['poller']['items'] >= 201 and l['poller']['depth'] is None for l in d['loops'])"
holds "$T/proc.json" "any(k.endswith('.poller.depth') and '/proc' in v for k, v in d['not_measured'].items())"

$PS stat -d 3s --json --ready-fd 3 "$pid" >"$T/stat.json" 2>"$T/err" 3>"$T/ready" & stat=$!; pids+=("$stat")
head -c 1 "$T/ready" >/dev/null
echo >&7
wait "$stat" || fail "stat: exit $?: $(cat "$T/err")"
python3 - "$T/stat.json" "/proc/$pid/fdinfo/$epoll" "$epoll" "$writer" <<'PY' || fail "not as the kernel has it"
import json, re, sys
d = json.load(open(sys.argv[1]))
kernel = {}
for line in open(sys.argv[2]):
    m = re.match(r'tfd:\s+(\d+) events:\s+([0-9a-f]+)', line)
    if m:
        kernel[int(m[1])] = int(m[2], 16)
loop = next(l for l in d['loops'] if l['poller_fd'] == int(sys.argv[3]))
told = {f['fd']: f['interest'] for f in loop['fds'] if not f['closed'] and f['interest']}
poller = loop['poller']
unread = [f for f in loop['fds'] if (f['unread_bytes'] or 0) > 0]
print(len(kernel), len(told), poller, [(f['name'], f['unread_bytes']) for f in unread])
assert told == kernel, (sorted(set(told.items()) ^ set(kernel.items())))
assert poller['items'] == len(kernel) and poller['complete']
assert 8 <= poller['depth'] <= 16, poller
assert poller['waiters'] == 0, 'it is blocked elsewhere'
assert len(unread) == 1 and unread[0]['unread_bytes'] == 1000 and unread[0]['name'] == f'127.0.0.1:{sys.argv[4]}', unread
assert poller['unread_bytes'] == 1000
listener = next(f for f in loop['fds'] if f['kind'] == 'listen')
assert listener['backlog'] == 0 and listener['backlog_max'] > 0, listener
PY

many=$B/tests/programs/many_eventfds
"$many" >"$T/many" & pids+=("$!")
pid=$!
until_ok 20 test -s "$T/many" || fail "the eventfds are not there"
# it is awake for a moment ten times a second, for a longer one on a crowded machine
for _ in 1 2 3; do
	$PS stat -d 2s --json "$pid" >"$T/many.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	json "$T/many.json" "d['loops'][0]['poller']['waiters'] or exit(1)" && break
done
count=$(cat "$T/many")
holds "$T/many.json" "d['loops'][0]['poller']['items'] == $count + 1"
holds "$T/many.json" "d['loops'][0]['poller']['waiters'] == 1"
holds "$T/many.json" "len(d['loops'][0]['fds']) == 1000 and d['lost']['total'] == 0"
holds "$T/many.json" "d['own_cost']['rss_bytes'] < 128 << 20 and d['own_cost']['cpu_ns'] < 2e9"
# a look takes 2 s for 100,000 at most; all looks of two seconds together took less
holds "$T/many.json" "next(p for p in d['probes'] if p['group'] == 'poller')['cost_ns'] < 2e9 * $count / 1e5"
