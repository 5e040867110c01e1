#!/usr/bin/env bash
# The demo off a terminal: says which scenario it plays, needs no privileges,
# and what the summary finds is the scenario's sin.
# limit: 120
. tests/lib.sh

# as an ordinary user where there is one to be
as_user=()
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$PS" "$T/pollscope" && chmod 755 "$T" "$T/pollscope"
	as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups); PS=$T/pollscope
fi
ran() { "${as_user[@]}" "$PS" demo "$@"; }

for scenario in healthy computation sync-io regex json tick-starvation pool-congestion dns-hog slow-consumer timer-storm thread-per-connection; do
	ran "$scenario" -d 3s --json >"$T/$scenario.json" 2>"$T/err" || fail "$scenario: exit $?: $(cat "$T/err")"
	holds "$T/$scenario.json" "len(d['loops']) >= 1 and d['loops'][0]['polls'] > 100"
	holds "$T/$scenario.json" "d['lost']['total'] == 0"
done
stalls='[s for l in d["loops"] for s in l["stalls"]]'
culprits="' '.join(s['culprit'] or '' for s in $stalls)"
holds "$T/computation.json" "2 <= len($stalls) <= 8 and 'scenario_computation' in $culprits"
# on a busy machine the loop also waits for a CPU in its callback, and that is told
holds "$T/computation.json" "all(s['cause'] in ('cpu', 'run-queue') and s['callback']['name'] == 'scenario_computation' for s in $stalls)"
holds "$T/sync-io.json" "2 <= len($stalls) <= 8 and 'scenario_sync_io' in $culprits"
holds "$T/sync-io.json" "any(s['syscall'] and s['syscall']['name'] == 'read' for s in $stalls)"
holds "$T/sync-io.json" "any(s['cause'] == 'sync-io' for s in $stalls)"
holds "$T/timer-storm.json" "len($stalls) >= 2 and 'scenario_timer_storm' in $culprits"
holds "$T/timer-storm.json" "any(s['phase'] == 'timers' for s in $stalls)"
holds "$T/pool-congestion.json" "any(f['id'] == 'PS011' for f in d['findings'])"
# without stacks the callback's own name tells the habit; a busy machine may be to blame for some of them
holds "$T/regex.json" "len($stalls) >= 2 and 'scenario_regexec' in $culprits"
holds "$T/regex.json" "any('regex' in (s['rule'], (s.get('own') or {}).get('rule')) for s in $stalls)"
holds "$T/json.json" "len($stalls) >= 2 and 'scenario_json_loads' in $culprits"
holds "$T/json.json" "any('json' in (s['rule'], (s.get('own') or {}).get('rule')) for s in $stalls)"
holds "$T/tick-starvation.json" "len($stalls) >= 2 and 'scenario_tick_starvation' in $culprits"
holds "$T/tick-starvation.json" "any('tick-starvation' in (s['rule'], (s.get('own') or {}).get('rule')) for s in $stalls)"
holds "$T/dns-hog.json" "any(f['id'] == 'PS015' for f in d['findings'])"
holds "$T/dns-hog.json" "d['pools'][0]['by_kind']['dns']['run_ns']['p50'] >= 300e6"
holds "$T/slow-consumer.json" "any(f['id'] == 'PS016' and 'fd ' in f['title'] for f in d['findings'])"
# a healthy server has none of these, however busy the machine is
holds "$T/healthy.json" "not [f for f in d['findings'] if f['id'] in ('PS006', 'PS007', 'PS009', 'PS010', 'PS011', 'PS015', 'PS016', 'PS017', 'PS018', 'PS019')]"

ran computation -d 3s >"$T/plain" 2>"$T/err" || fail "plain: exit $?: $(cat "$T/err")"
grep -q 'scenario: computation' "$T/plain" || fail "the scenario is not named: $(cat "$T/plain")"
grep -q 'scenario_computation' "$T/plain" || fail "the culprit is not named: $(cat "$T/plain")"
LC_ALL=C grep -q "$(printf '\033')" "$T/plain" && fail "escape codes off a terminal"

# a port of the user's choice: the loop's server there, the one with blocking threads on the next
# below those that clients get, of which the next may be one
port=$(python3 - <<'PY'
import random, socket
while True:
    port = random.randrange(20000, 30000)
    try:
        for p in port, port + 1:
            with socket.socket() as s:
                s.bind(('127.0.0.1', p))
        print(port)
        break
    except OSError:
        pass
PY
)
"${as_user[@]}" "$PS" demo thread-per-connection --port "$port" -d 20s >"$T/plain" 2>&1 & tool=$!
pids+=("$tool")
answers() { [ "$(curl -s "http://127.0.0.1:$1/")" = hello ]; }
until_ok 10 answers "$port" || fail "no answer on the port that was asked for: $(cat "$T/plain")"
server=$(pgrep -P "$tool")
until_ok 5 answers $((port + 1)) || fail "no answer from the blocking threads"
if wrk=$(program wrk); then
	for p in "$port" $((port + 1)); do
		"$wrk" -t1 -c16 -d1s "http://127.0.0.1:$p/" >"$T/wrk" 2>&1 || fail "wrk: $(cat "$T/wrk")"
		grep -q 'Socket errors\|Non-2xx' "$T/wrk" && fail "wrk on $p: $(cat "$T/wrk")"
		[ "$(awk '/requests in/ { print $1 }' "$T/wrk")" -ge 500 ] || fail "wrk on $p: $(cat "$T/wrk")"
	done
fi
threads() { [ "$(cat "/proc/$server"/task/*/comm | grep -c '^ps-conn')" = 48 ]; }
until_ok 5 threads || fail "not one thread for each of the 48 connections of the load"
kill "$tool"
wait "$tool"
"$PS" demo --port 70000 >"$T/plain" 2>&1
[ $? = 2 ] || fail "a port that cannot be"

# nothing is left when the tool is killed
"${as_user[@]}" "$PS" demo -d 60s >"$T/plain" 2>&1 & tool=$!
pids+=("$tool")
has_child() { server=$(pgrep -P "$tool") && grep -q demo-server "/proc/$server/comm"; }
until_ok 10 has_child || fail "no server"
kill -9 "$tool"
gone() { [ ! -e "/proc/$server" ] || grep -q '^State:.Z' "/proc/$server/status"; }
until_ok 5 gone || fail "the server outlives the tool"
