#!/usr/bin/env bash
# nginx with two workers under load: two loops; polls and utilization agree
# within 2 % with an independent count by bpftrace over the same time.
# limit: 90
. tests/lib.sh
need_root
nginx=$(program nginx) || skip "nginx is not to be had"
wrk=$(program wrk) || skip "wrk is not installed"
bpftrace=$(program bpftrace) || skip "bpftrace is not installed"

port=$(free_port)
mkdir -p "$T/logs" "$T/www"
echo hello >"$T/www/index.html"
cat >"$T/nginx.conf" <<CONF
worker_processes 2; daemon off; user root; pid $T/nginx.pid; error_log $T/error.log;
events { worker_connections 512; accept_mutex off; }
http { access_log off; client_body_temp_path $T/1; proxy_temp_path $T/2; fastcgi_temp_path $T/3; uwsgi_temp_path $T/4;
scgi_temp_path $T/5; server { listen 127.0.0.1:$port reuseport; root $T/www; } }
CONF
chmod 755 "$T"
# slices that a crowd stretches would straddle the edges of the window
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)
"${first[@]}" "$nginx" -p "$T" -c "$T/nginx.conf" >"$T/nginx.out" 2>&1 & pids+=($!)
master=$!
workers() { [ "$(pgrep -c -P "$master")" = 2 ]; }
until_ok 10 workers || fail "nginx did not start: $(cat "$T/nginx.out" "$T/error.log")"
mapfile -t w < <(pgrep -P "$master")
pids+=("${w[@]}")

# the independent count runs longer and is cut to pollscope's window by its own clock stamps
"$wrk" -t1 -c8 -d14 "http://127.0.0.1:$port/" >"$T/wrk.out" 2>&1 & pids+=($!)
# with what is under way: a slice that the machine stretches would be missing where the window ends in it
now_of() {
	echo "@polls[$1], @busy[$1] + (@x[$1] > @e[$1] ? nsecs - @x[$1] : 0), @wait[$1] + (@e[$1] > @x[$1] ? nsecs - @e[$1] : 0)"
}
cat >"$T/count.bt" <<BT
tracepoint:syscalls:sys_enter_epoll_wait /pid == ${w[0]} || pid == ${w[1]}/ { if (@x[pid]) { @busy[pid] = @busy[pid] + (nsecs - @x[pid]); } @e[pid] = nsecs; }
tracepoint:syscalls:sys_exit_epoll_wait /(pid == ${w[0]} || pid == ${w[1]}) && @e[pid]/ { @polls[pid] = @polls[pid] + 1; @wait[pid] = @wait[pid] + (nsecs - @e[pid]); @x[pid] = nsecs; }
interval:ms:20 { printf("S %llu %lld %lld %lld %lld %lld %lld\n", nsecs, $(now_of "${w[0]}"), $(now_of "${w[1]}")); }
BT
# bpftrace wants tracefs at its usual place: mounted in a namespace of its own, not on the machine
unshare -m sh -c 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"' sh \
	"$bpftrace" -q "$T/count.bt" >"$T/count.txt" 2>"$T/bt.err" & pids+=($!)
until_ok 20 grep -q '^S' "$T/count.txt" || fail "bpftrace: $(cat "$T/bt.err")"

$PS record -d 5s -o "$T/n.psr" --follow "$master" 2>"$T/err" || fail "record: exit $?: $(cat "$T/err")"
sleep 0.3
$PS report --json "$T/n.psr" >"$T/n.json" || fail "report: exit $?"
holds "$T/n.json" "len(d['loops']) == 2 and {l['pid'] for l in d['loops']} == {${w[0]}, ${w[1]}}"
python3 - "$T/n.json" "$T/count.txt" "${w[0]}" "${w[1]}" <<'PY' || fail "counts differ"
import json, sys
d = json.load(open(sys.argv[1])); order = [int(p) for p in sys.argv[3:5]]
rows = [list(map(int, l.split()[1:])) for l in open(sys.argv[2]) if l.startswith('S')]
bad = 0
for loop in d['loops']:
    i = order.index(loop['pid'])
    t0, t1 = loop['window']['first_ns'], loop['window']['last_ns']
    def at(t, column):  # what the independent counter stood at, between two of its samples
        a = max((r for r in rows if r[0] <= t), key=lambda r: r[0])
        b = min((r for r in rows if r[0] > t), key=lambda r: r[0])
        return a[column] + (b[column] - a[column]) * (t - a[0]) / (b[0] - a[0])
    polls, busy, wait = (at(t1, 1 + 3 * i + k) - at(t0, 1 + 3 * i + k) for k in range(3))
    util = busy / (busy + wait)
    print(loop['pid'], 'polls', polls, loop['polls'], 'utilization', util, loop['utilization'])
    bad |= abs(loop['polls'] / polls - 1) > 0.02 or abs(loop['utilization'] / util - 1) > 0.02
sys.exit(bad)
PY
