#!/usr/bin/env bash
# Loops on every backend are listed with it, and their utilization is what they
# measure themselves: epoll, poll, select, io_uring, kqueue, asyncio, uvloop;
# redis, nginx and memcached are listed.
# limit: 150
. tests/lib.sh
need_root

# start NAME COMMAND…
declare -A pid_of
start() {
	local name=$1; shift
	"$@" >"$T/$name.out" 2>"$T/$name.err" & pids+=($!)
	pid_of[$name]=$!
}
listed() { # PID BACKEND
	$PS ls --json >"$T/ls.json" && [ "$(json "$T/ls.json" "any(l['pid'] == $1 and l['backend'] == '$2' for l in d['loops'])")" = True ]
}

for backend in epoll poll select io_uring; do start "$backend" "$B/tests/programs/ticker" "$backend"; done
start kevent "$B/tests/kqueue/ticker"
# kqueue linked into the program, as a library is without being shared
start kevent_inside "$B/tests/kqueue/ticker_inside"
start asyncio "$(command -v /usr/bin/python3 || command -v python3)" tests/data/ticker.py
uvloop=$(program uvloop-debian) && start uvloop "$uvloop" tests/data/ticker.py uvloop
sleep 0.3
runs() { ! grep -q "^State:.*Z" "/proc/$1/status" 2>/dev/null && [ -e "/proc/$1" ]; }
watched=()
for name in "${!pid_of[@]}"; do
	backend=$name
	case $name in asyncio | uvloop) backend=epoll ;; kevent_inside) backend=kevent ;; esac
	if ! runs "${pid_of[$name]}"; then
		echo "$name does not run here: $(cat "$T/$name.err")"
		[ "$name" = io_uring ] || [ "$name" = uvloop ] || fail "$name ended"
		continue
	fi
	until_ok 10 listed "${pid_of[$name]}" "$backend" || fail "$name is not listed as $backend: $(cat "$T/ls.json")"
	watched+=("$name")
done

for name in "${watched[@]}"; do
	$PS stat -d 3s --json "${pid_of[$name]}" >"$T/$name.json" 2>"$T/$name.stat" & pids+=($!)
	eval "stat_$name=$!"
done
for name in "${watched[@]}"; do
	s=stat_$name; wait "${!s}" || fail "stat of $name: exit $?: $(cat "$T/$name.stat")"
done
for name in "${watched[@]}"; do
	python3 - "$T/$name.json" "$T/$name.out" "$name" <<'PY' || fail "$name is not as it measures itself"
import json, sys
d = json.load(open(sys.argv[1])); name = sys.argv[3]
rows = [tuple(map(int, l.split())) for l in open(sys.argv[2]) if l.count(' ') in (2, 3) and l.endswith('\n')]
loop = d['loops'][0]
backend = 'epoll' if name in ('asyncio', 'uvloop') else 'kevent' if name == 'kevent_inside' else name
t0, t1 = loop['window']['first_ns'], loop['window']['last_ns']
inside = [r for r in rows if t0 <= r[0] <= t1]
work, waited = (inside[-1][k] - inside[0][k] for k in (1, 2))
own = work / (work + waited)
# an interpreter that waits for a CPU between its poller and the work that it measures is busy, too
held = (inside[-1][3] - inside[0][3]) / (work + waited) if len(inside[0]) > 3 else 0
print(name, loop['backend'], 'polls', loop['polls'], 'own', round(own, 4), 'held', round(held, 4), 'seen', round(loop['utilization'], 4))
assert loop['backend'] == backend and len(inside) > 20
# 5 %, and what the edges of the window and the timers of an interpreter make
assert -0.05 * own - 0.01 <= loop['utilization'] - own <= 0.05 * own + 0.01 + held, (loop['utilization'], own, held)
PY
done
for name in "${!pid_of[@]}"; do kill "${pid_of[$name]}" 2>/dev/null; done

port=$(free_port)
redis=$(program redis-server) && start redis "$redis" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$T"
port=$(free_port)
memcached=$(program memcached) && start memcached "$memcached" -l 127.0.0.1 -p "$port" -U 0 -u root -t 3
nginx=$(program nginx) && {
	port=$(free_port); mkdir -p "$T/logs"; chmod 755 "$T"
	echo "worker_processes 1; daemon off; user root; pid $T/nginx.pid; error_log $T/error.log; events { } http { access_log off;
client_body_temp_path $T/1; proxy_temp_path $T/2; fastcgi_temp_path $T/3; uwsgi_temp_path $T/4; scgi_temp_path $T/5; server { listen 127.0.0.1:$port; } }" >"$T/nginx.conf"
	start nginx "$nginx" -p "$T" -c "$T/nginx.conf"
	worker() { pgrep -P "${pid_of[nginx]}" >"$T/worker"; }
	until_ok 10 worker && pid_of[nginx]=$(head -1 "$T/worker") && pids+=("${pid_of[nginx]}")
}
for name in redis memcached nginx; do
	[ -n "${pid_of[$name]:-}" ] || { echo "$name is not to be had"; continue; }
	until_ok 10 listed "${pid_of[$name]}" epoll || fail "$name is not listed: $(cat "$T/$name.err" "$T/ls.json")"
done
# memcached: the listening loop and one per worker thread
[ -z "${memcached:-}" ] || holds "$T/ls.json" "len([l for l in d['loops'] if l['pid'] == ${pid_of[memcached]}]) == 4"
exit 0
