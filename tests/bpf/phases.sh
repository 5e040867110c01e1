#!/usr/bin/env bash
# A node program spends known times in its timers, in callbacks of its descriptors and
# in immediates: with --exact-phases each phase is told with its own time, exactly.
# A loop that turns hundreds of thousands of times a second has its probes taken back.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
cat >"$T/phases.js" <<'EOF2'
const net = require('net');

function spin(phase, ms) {
	const begin = process.hrtime.bigint(), end = begin + BigInt(ms * 1e6);
	while (process.hrtime.bigint() < end);
	console.log(phase, begin, process.hrtime.bigint());
}
setInterval(() => spin('timers', 20), 100);
setInterval(() => setImmediate(() => spin('check', 8)), 100);
const server = net.createServer((c) => c.on('data', () => spin('poll', 12))).listen(0, '127.0.0.1', () => {
	const client = net.connect(server.address().port, '127.0.0.1', () => console.log('ready'));
	setInterval(() => client.write('x'), 100);
});
process.on('SIGTERM', () => process.exit(0));
EOF2
"$node" "$T/phases.js" >"$T/out" 2>"$T/node.err" & pids+=($!)
until_ok 10 test -s "$T/out" || fail "node did not start: $(cat "$T/node.err")"
pid=${pids[-1]}
$PS stat -d 3s --json --exact-phases "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
kill -0 "$pid" || fail "the target died"
python3 - "$T/stat.json" <<'EOF2' || skip "this node has no names of libuv's phases"
import json, sys
sys.exit(not any('exact phases at' in p['reason'] for p in json.load(open(sys.argv[1]))['probes'] if p['group'] == 'poll'))
EOF2
loop="[l for l in d['loops'] if l['tid'] == $pid][0]"
ns="{p['name']: p['total_ns'] for p in ${loop}['phases']}"
count="{p['name']: p['count'] for p in ${loop}['phases']}"
# at least what the program says that it spent in each while it was watched, less one turn that was under way at an end of the watch
cat >"$T/spent.py" <<'EOF2'
import json, sys
window = [l for l in json.load(open(sys.argv[1]))['loops'] if l['tid'] == int(sys.argv[3])][0]['window']
rows = [line.split() for line in open(sys.argv[2]) if line.count(' ') == 2 and line.endswith('n\n')]
rows = [(phase, int(begin[:-1]), int(end[:-1])) for phase, begin, end in rows]
inside = [r for r in rows if window['first_ns'] <= r[1] and r[2] <= window['last_ns']]
print(json.dumps({p: {'count': len([r for r in inside if r[0] == p]), 'ns': sum(sorted(r[2] - r[1] for r in inside if r[0] == p)[:-1])}
                  for p in ('timers', 'poll', 'check')}))
EOF2
spent=$(python3 "$T/spent.py" "$T/stat.json" "$T/out" "$pid") || fail "what was spent is not to be had"
echo "$spent"
holds "$T/stat.json" "all(s['count'] > 5 and ${count}[n] >= s['count'] - 1 and ${ns}[n] >= 0.99 * s['ns'] for n, s in $spent.items())"
holds "$T/stat.json" "all(${count}[n] >= max(s['count'] for s in $spent.values()) - 1 for n in ('idle', 'prepare'))"
holds "$T/stat.json" "${ns}['idle'] + ${ns}['prepare'] < 0.1 * ${ns}['check']"
holds "$T/stat.json" "0.9 * ${loop}['busy_ns'] < sum($ns.values()) < 1.02 * ${loop}['busy_ns']"
holds "$T/stat.json" "d['lost']['total'] == 0"

"$node" -e 'let n = 0; (function f() { n++; setImmediate(f) })(); setInterval(() => { console.log(n); n = 0 }, 500)' >"$T/turns" & pids+=($!)
pid=${pids[-1]}
turned() { [ "$(wc -l <"$T/turns")" -ge 4 ]; }
until_ok 10 turned || fail "node did not start"
$PS stat -d 5s --json --exact-phases "$pid" >"$T/spin.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
kill "$pid"
holds "$T/spin.json" "'; exact phases taken back: gave up: ' in [p for p in d['probes'] if p['group'] == 'poll'][0]['reason']"
holds "$T/spin.json" "d['lost']['total'] == 0"
# what came after is told as known to be of no phase
holds "$T/spin.json" "[p for p in d['loops'][0]['phases'] if p['name'] == 'other'][0]['total_ns'] > 0.5 * d['loops'][0]['busy_ns']"
# with the probes it turns a quarter as often: that has an end within the watch
python3 - "$T/turns" <<'EOF2' || fail "it stayed slow: $(cat "$T/turns")"
import statistics, sys
turns = [int(line) for line in open(sys.argv[1])]
print(turns)
sys.exit(statistics.median(turns[-5:]) < 0.5 * statistics.median(turns[:4]))
EOF2
