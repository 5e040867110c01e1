#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Under many requests the poll group rests where system call tracepoints are all
# that it has: nothing is attached to them, and all the same each stall is found,
# and turns, ready descriptors and utilization are what the loop says itself.
# Exact phases go on meanwhile, and make up the time that the loop is busy.
# limit: 120
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
wrk=$(program wrk) || skip "wrk is not installed"
"$node" -e 'performance.nodeTiming.uvMetricsInfo || process.exit(1)' || skip "this node does not tell what its loop counts: $("$node" --version)"
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)
count=${POLLSCOPE_STALLS:-10}

"${first[@]}" "$node" tests/data/busy_stalls.js "$T/told" "$count" >"$T/port" & pids+=("$!")
pid=$!
until_ok 10 test -s "$T/port" || fail "node did not start"
"$wrk" -t1 -c32 -d100s "http://127.0.0.1:$(cat "$T/port")/" >/dev/null & pids+=("$!")
mkfifo "$T/watched"
$PS record -o "$T/r.psr" -q --ready-fd 3 "$pid" 2>"$T/err" 3>"$T/watched" & record=$!; pids+=("$record")
head -c 1 "$T/watched" >/dev/null
kill -USR2 "$pid"
# what it has attached, as often as it can be asked; one line each time
until_told() {
	cat /proc/"$record"/fdinfo/* 2>/dev/null | awk '/^tp_name/ { printf "%s ", $2 } END { print "" }' >>"$T/links"
	test -s "$T/told"
}
until_ok $((20 + 2 * count)) until_told || fail "node did not end"
kill -INT "$record"; wait "$record" || fail "record: exit $?: $(cat "$T/err")"
$PS report --json "$T/r.psr" >"$T/report.json" || fail "report"
python3 - "$T/told" "$T/report.json" "$T/links" <<'PY' || fail "not as it is"
import json, sys
told = json.load(open(sys.argv[1]))
document = json.load(open(sys.argv[2]))
attached = [line.split() for line in open(sys.argv[3]) if 'sched_switch' in line]
loop = document['loops'][0]
bad = []
found = [(s['start_ns'], s['duration_ns'], s['culprit']) for s in loop['stalls']]
for begin, end in [(int(a), int(b)) for a, b in told['stalls']]:
    # the timer's callback is not all of its slice: requests come before and after it
    near = [d for start, d, _ in found if start <= begin + 1e6 and start + d >= end - 1e6]
    if not near or not end - begin - 5e6 <= min(near) <= end - begin + max(15e6, 0.1 * (end - begin)):
        bad.append(('missed or wrong', (end - begin) / 1e6, [d / 1e6 for d in near]))
blamed = sum('injected' in c for _, _, c in found)
print(len(told['stalls']), 'told,', len(found), 'found,', blamed, 'blamed, wrong:', bad)
per_turn = loop['ready'] / loop['iterations'], told['events'] / told['turns']
print('ready a turn', per_turn, 'utilization', loop['utilization'], told['utilization'])
poll = next(p for p in document['probes'] if p['group'] == 'poll')
rested = sum(not any(name.startswith('sys_') for name in line) for line in attached)
print(poll['reason'], '- at rest in', rested, 'of', len(attached), 'looks')
assert len(bad) <= len(told['stalls']) // 10, bad
assert blamed >= 0.8 * len(told['stalls'])
assert abs(per_turn[0] / per_turn[1] - 1) < 0.15, per_turn  # a wait that finds nothing may be half a turn
assert abs(loop['utilization'] - told['utilization']) < 0.05
assert document['lost']['total'] == 0
assert poll['state'] == 'on', poll
if poll['reason'].startswith('fentry'):
    sys.exit('this kernel lets the group be where it costs nobody else anything') if rested < len(attached) * 0.9 else sys.exit(0)
assert rested > 0, attached
PY

"$node" -e 'require("http").createServer((q, s) => s.end("hello")).listen(0, "127.0.0.1", function () { console.log(this.address().port) })' >"$T/port2" & pids+=("$!")
pid=$!
until_ok 10 test -s "$T/port2" || fail "node did not start"
"$wrk" -t1 -c32 -d100s "http://127.0.0.1:$(cat "$T/port2")/" >/dev/null & pids+=("$!")
$PS stat -d 4s --json --exact-phases "$pid" >"$T/phases.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
python3 - "$T/phases.json" <<'PY' || fail "phases not as they are"
import json, sys
document = json.load(open(sys.argv[1]))
loop = document['loops'][0]
reason = next(p for p in document['probes'] if p['group'] == 'poll')['reason']
phases = sum(p['total_ns'] for p in loop['phases'])
turns = next(p['count'] for p in loop['phases'] if p['name'] == 'poll')
print(reason, '- phases', phases / loop['busy_ns'], 'of busy time, turns', turns / loop['iterations'])
assert document['lost']['total'] == 0
if 'exact phases at' not in reason:
    sys.exit(0)  # this node has no names of libuv's phases
assert reason.startswith('fentry') or "by the scheduler and the loops' own counts" in reason, reason
assert 0.8 < phases / loop['busy_ns'] < 1.02  # what was busy while the probes were being attached is of no phase
assert 0.7 < turns / loop['iterations'] < 1.1
PY
