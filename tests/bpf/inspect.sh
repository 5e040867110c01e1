#!/usr/bin/env bash
# One look at programs that were never prepared: the thousand timers of a libuv
# program are read as the heap that they are, with the functions and the times that
# the program says; of node the one timer behind all others is explained; other
# programs and targets that cannot be looked at end as they should.
# limit: 60
. tests/lib.sh
need_root
[ -x "$B/tests/programs/uv_timers" ] || fail "uv_timers is not built"

mkfifo "$T/in"
"$B/tests/programs/uv_timers" <"$T/in" >"$T/says" & pids+=("$!")
exec 7>"$T/in"
until_ok 10 test -s "$T/says" || fail "uv_timers did not start"
pid=${pids[-1]}
says() { json "$T/says" "d['$1']"; }

$PS inspect --json "$pid" >"$T/look.json" 2>"$T/err" || fail "inspect: exit $?: $(cat "$T/err")"
timers="d['loops'][0]['libuv']['timers']" nodes="d['loops'][0]['libuv']['timers']['nodes']"
holds "$T/look.json" "${timers}['count'] == 1000 and len($nodes) == 1000 and ${timers}['depth'] == 10"
holds "$T/look.json" "abs(d['ns'] + ${timers}['next_due_ns'] - $(says next_due_ms) * 1000000) <= 2000000"
holds "$T/look.json" "min(n['due_ns'] for n in $nodes) == ${timers}['next_due_ns']"
holds "$T/look.json" "all(${nodes}[i]['due_ns'] >= ${nodes}[(i - 1) // 2]['due_ns'] for i in range(1, 1000))"
holds "$T/look.json" "${timers}['by_callback'] == {'on_heartbeat': $(says on_heartbeat), 'on_session_end': $(says on_session_end), 'on_retry': $(says on_retry)}"
holds "$T/look.json" "all(n['repeat_ns'] == (5000000000 if n['callback'] == 'on_heartbeat' else 0) for n in $nodes)"
holds "$T/look.json" "d['loops'][0]['libuv']['handle_count'] >= 1001 and d['loops'][0]['libuv']['active_handles'] >= 1001"
holds "$T/look.json" "d['loops'][0]['poller']['count'] == d['loops'][0]['libuv']['watched_fds']"
holds "$T/look.json" "len(d['threads']) == 1 and d['threads'][0]['tid'] == $pid"

$PS inspect "$pid" >"$T/look.txt" || fail "inspect: exit $?"
grep -q '1000 in a heap of 10 levels' "$T/look.txt" || fail "no heap in the text: $(cat "$T/look.txt")"
[ "$(grep -c -- '─ in ' "$T/look.txt")" = 30 ] || fail "the tree is not drawn: $(cat "$T/look.txt")"
[ "$(LC_ALL=C $PS inspect "$pid" | grep -c -- '[|`]- in ')" = 30 ] || fail "no tree without UTF-8"
awk 'length > 110 { exit 1 }' "$T/look.txt" || fail "a line is too long"

# the same by the watch, and in a recording
$PS record -d 2s -o "$T/a.psr" "$pid" 2>"$T/err" || fail "record: exit $?: $(cat "$T/err")"
$PS report --json "$T/a.psr" >"$T/report.json" || fail "report: exit $?"
holds "$T/report.json" "d['loops'][0]['timers']['armed'] == 1000 and d['loops'][0]['timers']['depth'] == 10"
holds "$T/report.json" "{t['name']: t['armed'] for t in d['loops'][0]['timers']['top']} == {'on_heartbeat': 100, 'on_session_end': 700, 'on_retry': 200}"
holds "$T/report.json" "any(h['kind'] == 'timer' and h['count'] == 1000 for h in d['loops'][0]['snapshot']['handles_by_kind'])"
kill -0 "$pid" || fail "the target died"
echo >&7
exec 7>&-

# a stopped target is looked at like any other
if node=$(program node); then
	"$node" -e 'setTimeout(() => {}, 40000); setInterval(() => {}, 30000); setImmediate(() => console.log(process.pid))' >"$T/node" & pids+=("$!")
	until_ok 10 test -s "$T/node" || fail "node did not start"
	pid=${pids[-1]}
	kill -STOP "$pid"
	$PS inspect --json "$pid" >"$T/node.json" 2>"$T/err" || fail "inspect of node: exit $?: $(cat "$T/err")"
	kill -CONT "$pid"
	main="[l['libuv'] for l in d['loops'] if l['tid'] == $pid][0]"
	holds "$T/node.json" "'node::Environment::RunTimers' in ${main}['timers']['by_callback']"
	holds "$T/node.json" "'all JavaScript timers' in ${main}['timers']['note']"
	# V8 may have timers of its own beside it
	due="[n['due_ns'] for n in ${main}['timers']['nodes'] if n['callback'] == 'node::Environment::RunTimers'][0]"
	holds "$T/node.json" "20e9 < $due <= 30e9"
	holds "$T/node.json" "${main}['iterations'] is None or ${main}['iterations'] >= 1"
	kill "$pid"
fi

# who is no libuv program, and who is not there
"$B/tests/programs/plain_epoll" >/dev/null 2>&1 & pids+=("$!")
pid=${pids[-1]}
if until_ok 5 sh -c "$PS inspect --json $pid >$T/plain.json 2>/dev/null"; then
	holds "$T/plain.json" "d['libuv'] is None and 'libuv' in d['not_measured'] and d['loops'][0]['libuv'] is None"
fi
$PS inspect 4194303 >"$T/out" 2>"$T/err"
rc=$?
[ $rc = 5 ] || fail "no such process: exit $rc"
$PS inspect >"$T/out" 2>"$T/err"
rc=$?
[ $rc = 2 ] || fail "without a target: exit $rc"
