#!/usr/bin/env bash
# redis told to sleep 0.3 s three times: three stalls, blocked in (clock_)nanosleep.
# limit: 60
. tests/lib.sh
need_root
redis=$(program redis-server) || skip "redis-server is not to be had"
cli=$(program redis-cli) || skip "redis-cli is not to be had"

port=$(free_port)
"$redis" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$T" --enable-debug-command yes >"$T/redis.log" 2>&1 & pids+=("$!")
pid=$!
until_ok 10 "$cli" -p "$port" ping || fail "redis did not start: $(cat "$T/redis.log")"

mkfifo "$T/ready"
$PS stat -d 3s --json --ready-fd 3 "$pid" >"$T/stat.json" 2>"$T/err" 3>"$T/ready" & stat=$!; pids+=("$stat")
head -c 1 "$T/ready" >/dev/null
for _ in 1 2 3; do "$cli" -p "$port" debug sleep 0.3 >/dev/null || fail "DEBUG SLEEP refused"; sleep 0.2; done
wait "$stat" || fail "stat: exit $?: $(cat "$T/err")"

stalls='[s for l in d["loops"] for s in l["stalls"]]'
holds "$T/stat.json" "len($stalls) == 3"
holds "$T/stat.json" "all(abs(s['duration_ns'] - 300e6) <= 20e6 for s in $stalls)"
holds "$T/stat.json" "all(s['syscall']['name'] in ('nanosleep', 'clock_nanosleep') for s in $stalls)"
holds "$T/stat.json" "all(s['cause'] == 'sync-io' and s['rule'] == 'sync-call' for s in $stalls)"
holds "$T/stat.json" "all(s['blocked_ns'] > 270e6 for s in $stalls)"
"$cli" -p "$port" ping | grep -q PONG || fail "redis does not answer any more"
