#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Stalls of 60 to 400 ms that a node program makes and writes down: each is found,
# with its duration within 5 ms or 5 %, and nothing else. POLLSCOPE_STALLS=200 for
# as many; by default there are 25. Then a light load alone: no stall at all.
# limit: 120
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)
count=${POLLSCOPE_STALLS:-25}

"${first[@]}" "$node" tests/data/many_stalls.js "$T/told" "$count" >"$T/ready" & pids+=("$!")
pid=$!
until_ok 10 test -s "$T/ready" || fail "node did not start"
mkfifo "$T/watched"
$PS record -o "$T/r.psr" -q --ready-fd 3 "$pid" 2>"$T/err" 3>"$T/watched" & record=$!; pids+=("$record")
head -c 1 "$T/watched" >/dev/null
kill -USR2 "$pid"
until_ok $((10 + count)) test -s "$T/told" || fail "node did not end"
kill -INT "$record"; wait "$record" || fail "record: exit $?: $(cat "$T/err")"
$PS report --json "$T/r.psr" >"$T/report.json" || fail "report"
cat >"$T/judge.py" <<'EOF'
import json, sys
told = [(int(a), int(b)) for a, b in json.load(open(sys.argv[1]))]
document = json.load(open(sys.argv[2]))
found = [(s['start_ns'], s['duration_ns'], s['culprit']) for s in document['loops'][0]['stalls']]
bad = 0
for begin, end in told:
    # the callback is not all of its slice
    near = [d for start, d, _ in found if start <= begin and start + d >= end]
    if not near or min(abs(d - (end - begin)) for d in near) > max(5e6, 0.05 * (end - begin)):
        print('missed or wrong:', (end - begin) / 1e6, 'ms', [d / 1e6 for d in near])
        bad += 1
strange = [f for f in found if not any(f[0] <= b and f[0] + f[1] >= e for b, e in told)]
print(f'{len(told)} told, {len(found)} found, {bad} wrong, {len(strange)} that nobody made: {strange[:3]}')
blamed = sum('injected' in c for _, _, c in found)
lost = document['lost']['total']
# while the machine is busy with others some stalls are the host's, and the load itself may be kept waiting
host = [f for f in strange if 'waiting for a CPU' in f[2]]
sys.exit(bad > 0 or lost > 0 or len(strange) > len(host) or blamed < 0.8 * len(told))
EOF
python3 "$T/judge.py" "$T/told" "$T/report.json" || fail "not every stall was told right"

$PS stat -d 5s --json "$pid" >"$T/calm.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
holds "$T/calm.json" "d['loops'][0]['polls'] > 200"
holds "$T/calm.json" "not [s for l in d['loops'] for s in l['stalls'] if s['cause'] != 'run-queue']"
