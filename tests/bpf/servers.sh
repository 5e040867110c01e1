#!/usr/bin/env bash
# redis and memcached at work: the polls and the utilization of every loop, of
# memcached one per thread, agree within 5 % with what bpftrace counts of the same
# threads over the same time.
# limit: 90
. tests/lib.sh
need_root
bpftrace=$(program bpftrace) || skip "bpftrace is not installed"
redis=$(program redis-server) memcached=$(program memcached)
[ -n "$redis$memcached" ] || skip "neither redis nor memcached is to be had"

# answers PORT REQUEST: the server is there
answers() { python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1); s.sendall(sys.argv[2].encode() + b"\r\n"); assert s.recv(99)' "$1" "$2"; }
watched=()
if [ -n "$redis" ]; then
	redis_port=$(free_port)
	"$redis" --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$T" >"$T/redis.log" 2>&1 & pids+=($!)
	until_ok 10 answers "$redis_port" PING || fail "redis did not start: $(cat "$T/redis.log")"
	watched+=("${pids[-1]}")
fi
if [ -n "$memcached" ]; then
	memcached_port=$(free_port)
	"$memcached" -l 127.0.0.1 -p "$memcached_port" -U 0 -u root -t 3 >"$T/memcached.log" 2>&1 & pids+=($!)
	until_ok 10 answers "$memcached_port" version || fail "memcached did not start: $(cat "$T/memcached.log")"
	watched+=("${pids[-1]}")
fi

# redis gets scripts of some ms beside small commands, memcached bursts of small ones on six connections
cat >"$T/load.py" <<'PY'
import socket, sys, threading, time
def run(port, request, rest):
    s = socket.create_connection(('127.0.0.1', port))
    while True:
        s.sendall(request)
        s.recv(65536)
        time.sleep(rest)
def eval_of(turns):
    code = f'local x = 0 for i = 1, {turns} do x = x + i end return x'
    return f'*3\r\n$4\r\nEVAL\r\n${len(code)}\r\n{code}\r\n$1\r\n0\r\n'.encode()
jobs = []
if sys.argv[1] != '-':
    port = int(sys.argv[1])
    jobs += [(port, eval_of(300000), 0.01), (port, eval_of(5000), 0.002), (port, b'PING\r\n', 0.001)]
if sys.argv[2] != '-':
    port = int(sys.argv[2])
    jobs += [(port, b'set k 0 0 3\r\nabc\r\n' + b'get k\r\n' * (60 * (i + 1)), 0.01) for i in range(6)]
threads = [threading.Thread(target=run, args=j, daemon=True) for j in jobs]
[t.start() for t in threads]
time.sleep(60)
PY
python3 "$T/load.py" "${redis_port:--}" "${memcached_port:--}" 2>"$T/load.err" & pids+=($!)

# what is counted is told at each 16th return: telling takes time itself, which would be called busy.
# The independent count runs longer and is cut to pollscope's window by its own clock stamps
ours=$(printf ' || pid == %s' "${watched[@]}"); ours=${ours# || }
cat >"$T/count.bt" <<BT
tracepoint:syscalls:sys_enter_epoll_wait /$ours/ { if (@x[tid]) { @busy[tid] = @busy[tid] + (nsecs - @x[tid]); } @e[tid] = nsecs; }
tracepoint:syscalls:sys_exit_epoll_wait /($ours) && @e[tid]/ { @polls[tid] = @polls[tid] + 1; @wait[tid] = @wait[tid] + (nsecs - @e[tid]); @x[tid] = nsecs;
  if (@polls[tid] % 16 == 0) { printf("S %d %llu %lld %lld %lld\n", tid, nsecs, @polls[tid], @busy[tid], @wait[tid]); } }
interval:ms:100 { printf("T\n"); }
BT
# bpftrace wants tracefs at its usual place: mounted in a namespace of its own, not on the machine
unshare -m sh -c 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"' sh \
	"$bpftrace" -q "$T/count.bt" >"$T/count.txt" 2>"$T/bt.err" & pids+=($!)
until_ok 20 grep -q '^S' "$T/count.txt" || fail "bpftrace: $(cat "$T/bt.err")"

for pid in "${watched[@]}"; do
	$PS record -d 4s -q -o "$T/$pid.psr" "$pid" 2>"$T/err.$pid" & eval "record_$pid=$!"
done
for pid in "${watched[@]}"; do
	record=record_$pid; wait "${!record}" || fail "record: exit $?: $(cat "$T/err.$pid")"
done
sleep 0.5
for pid in "${watched[@]}"; do
	$PS report --json "$T/$pid.psr" >"$T/$pid.json" || fail "report: exit $?"
	holds "$T/$pid.json" "all(l['backend'] == 'epoll' for l in d['loops']) and d['lost']['total'] == 0"
	python3 - "$T/$pid.json" "$T/count.txt" "$( [ "$pid" = "${watched[0]}" ] && [ -n "$redis" ] && echo 1 || echo 3)" <<'PY' || fail "counts differ"
import json, sys
d = json.load(open(sys.argv[1])); least = int(sys.argv[3])
rows = {}
for line in open(sys.argv[2]):
    f = line.split()
    if len(f) == 6 and line.endswith('\n'):
        rows.setdefault(int(f[1]), []).append(tuple(map(int, f[2:])))
judged = bad = 0
for loop in d['loops']:
    t0, t1 = loop['window']['first_ns'], loop['window']['last_ns']
    inside = sorted(r for r in rows.get(loop['tid'], []) if t0 <= r[0] <= t1)
    if len(inside) < 10:
        continue  # the loop that listens: nobody comes
    polls, busy, wait = (inside[-1][k] - inside[0][k] for k in (1, 2, 3))
    own = busy / (busy + wait)
    print(loop['comm'], loop['tid'], 'polls', polls, loop['polls'], 'own', round(own, 4), 'seen', round(loop['utilization'], 4))
    bad |= abs(loop['polls'] - polls) > 0.05 * polls + 2 or abs(loop['utilization'] - own) > 0.05 * own
    judged += 1
assert not bad and judged >= least, (bad, judged)
PY
done
for pid in "${watched[@]}"; do kill -0 "$pid" || fail "a target died"; done
exit 0
