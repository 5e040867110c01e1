#!/usr/bin/env bash
# Timers of nginx and redis, of which nobody stopped the process: 20 connections
# kept alive are 20 timers of an nginx worker, due when the server's own time-out
# says, and are in use; redis has serverCron, and watches its listener and clients.
# The same by inspect, by the watch and in a recording. Both work on.
# limit: 60
. tests/lib.sh
need_root
nginx=$(program nginx) redis=$(program redis-server)
[ -n "$nginx$redis" ] || skip "neither nginx nor redis is to be had"

cat >"$T/clients.py" <<'PY'
import socket, sys, time
clients = []
for _ in range(20):
    c = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    c.sendall(sys.argv[2].encode().decode('unicode_escape').encode())
    assert c.recv(65536)
    clients.append(c)
print(time.monotonic_ns(), flush=True)
time.sleep(60)
PY

if [ -n "$nginx" ]; then
	port=$(free_port)
	mkdir -p "$T/logs" "$T/www"; echo hello >"$T/www/index.html"; chmod 755 "$T"
	cat >"$T/nginx.conf" <<-CONF
	worker_processes 1; daemon off; user root; pid $T/nginx.pid; error_log $T/error.log; events { worker_connections 128; }
	http { access_log off; keepalive_timeout 40s; client_body_temp_path $T/1; proxy_temp_path $T/2; fastcgi_temp_path $T/3;
	uwsgi_temp_path $T/4; scgi_temp_path $T/5; server { listen 127.0.0.1:$port; root $T/www; } }
	CONF
	"$nginx" -p "$T" -c "$T/nginx.conf" >"$T/nginx.out" 2>&1 & pids+=($!)
	worker() { pgrep -P "$1" >"$T/worker"; }
	until_ok 10 worker "${pids[-1]}" || fail "nginx did not start: $(cat "$T/nginx.out" "$T/error.log")"
	pid=$(head -1 "$T/worker"); pids+=("$pid")
	$PS inspect --json "$pid" >"$T/idle.json" 2>"$T/err" || fail "inspect: exit $?: $(cat "$T/err")"
	holds "$T/idle.json" "d['loops'][0]['nginx']['timers']['count'] == 0"
	idle=$(json "$T/idle.json" "d['loops'][0]['nginx']['connections']")
	began=$(python3 -c 'import time; print(time.monotonic_ns())')
	python3 "$T/clients.py" "$port" 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' >"$T/clients" & pids+=($!); clients=$!
	until_ok 10 test -s "$T/clients" || fail "no clients"
	$PS inspect --json "$pid" >"$T/nginx.json" 2>"$T/err" || fail "inspect: exit $?: $(cat "$T/err")"
	own="d['loops'][0]['nginx']" timers="d['loops'][0]['nginx']['timers']"
	holds "$T/nginx.json" "${timers}['count'] == 20 == len(${timers}['nodes']) and 5 <= ${timers}['depth'] <= 8 and ${timers}['structure'] == 'red-black tree'"
	# a timer is set within the window in which its client was answered, in ms of the coarse clock
	holds "$T/nginx.json" "all($began - 10e6 <= d['ns'] + n['due_ns'] - 40e9 <= $(cat "$T/clients") + 10e6 for n in ${timers}['nodes'])"
	holds "$T/nginx.json" "${own}['connections'] == $idle + 20 and ${own}['put_off'] == 0"
	$PS inspect "$pid" >"$T/nginx.txt" || fail "inspect: exit $?"
	grep -q '20 in a red-black tree' "$T/nginx.txt" || fail "not in the text: $(cat "$T/nginx.txt")"
	$PS record -d 2s -q -o "$T/n.psr" "$pid" 2>"$T/err" || fail "record: exit $?: $(cat "$T/err")"
	$PS report --json "$T/n.psr" >"$T/n.json" || fail "report: exit $?"
	holds "$T/n.json" "d['loops'][0]['timers']['armed'] == 20 and d['loops'][0]['snapshot']['handles'] == $idle + 20"
	holds "$T/n.json" "next(p for p in d['probes'] if p['group'] == 'snapshot')['state'] == 'on'"
	# gone with their clients
	kill "$clients"
	none() { $PS inspect --json "$pid" >"$T/idle.json" && [ "$(json "$T/idle.json" "${own}['timers']['count'] == 0 and ${own}['connections'] == $idle")" = True ]; }
	until_ok 10 none || fail "timers of clients that went: $(cat "$T/idle.json")"
fi

if [ -n "$redis" ]; then
	port=$(free_port)
	"$redis" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$T" --hz 1 --dynamic-hz no >"$T/redis.log" 2>&1 & pids+=($!)
	pid=${pids[-1]}
	answers() { python3 -c 'import socket, sys; s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1); s.sendall(b"PING\r\n"); assert s.recv(9)' "$port"; }
	until_ok 10 answers || fail "redis did not start: $(cat "$T/redis.log")"
	$PS inspect --json "$pid" >"$T/idle.json" 2>"$T/err" || fail "inspect: exit $?: $(cat "$T/err")"
	own="d['loops'][0]['redis']"
	# whoever asked whether it is there has gone when only listeners and pipes are left
	listens() { $PS inspect --json "$pid" >"$T/idle.json" && [ "$(json "$T/idle.json" "any(i['kind'] == 'tcp' for i in d['loops'][0]['poller']['items'])")" = False ]; }
	until_ok 10 listens || fail "it has clients: $(cat "$T/idle.json")"
	idle=$(json "$T/idle.json" "${own}['watched_fds']")
	python3 "$T/clients.py" "$port" 'PING\r\n' >"$T/clients" & pids+=($!)
	until_ok 10 test -s "$T/clients" && until_ok 10 answers || fail "no clients"
	settled() { $PS inspect --json "$pid" >"$T/redis.json" && [ "$(json "$T/redis.json" "${own}['watched_fds']")" = $((idle + 20)) ]; }
	until_ok 10 settled || fail "not all of them are watched: $(cat "$T/redis.json")"
	holds "$T/redis.json" "${own}['timers']['by_callback'] == {'serverCron': 1} and ${own}['timers']['structure'] == 'list'"
	holds "$T/redis.json" "-0.1e9 < ${own}['timers']['next_due_ns'] <= 1.1e9 and ${own}['timers']['nodes'][0]['repeat_ns'] is None"
	holds "$T/redis.json" "${own}['watched_fds'] == $idle + 20 == len(${own}['watchers'])"
	# what redis thinks that it watches is what the kernel has
	holds "$T/redis.json" "{w['fd']: w['events'] for w in ${own}['watchers']} == {i['fd']: i['events'] & 5 for i in d['loops'][0]['poller']['items']}"
	$PS stat -d 2s --json "$pid" >"$T/r.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	holds "$T/r.json" "d['loops'][0]['timers']['armed'] == 1 and d['loops'][0]['timers']['top'][0]['name'] == 'serverCron' and d['loops'][0]['snapshot']['watchers'] == $idle + 20"
	answers || fail "redis does not answer any more"
fi
exit 0
