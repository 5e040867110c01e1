#!/usr/bin/env bash
# A node program spends known times in its timers, in callbacks of its descriptors and
# in immediates: with --exact-phases each phase is told with its own time, exactly.
# limit: 40
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
cat >"$T/phases.js" <<'EOF2'
const net = require('net');

function spin(phase, ms) {
	const begin = process.hrtime.bigint(), end = begin + BigInt(ms * 1e6);
	while (process.hrtime.bigint() < end);

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
holds "$T/stat.json" "all(${count}[n] > 20 for n in ('timers', 'idle', 'prepare', 'poll', 'check'))"
# at least what was spent in 25 of some 30 turns, and nowhere else
holds "$T/stat.json" "${ns}['timers'] > 25 * 20e6 and ${ns}['poll'] > 25 * 12e6 and ${ns}['check'] > 25 * 8e6"
holds "$T/stat.json" "${ns}['idle'] + ${ns}['prepare'] < 0.1 * ${ns}['check']"
holds "$T/stat.json" "0.9 * ${loop}['busy_ns'] < sum($ns.values()) < 1.02 * ${loop}['busy_ns']"
holds "$T/stat.json" "d['lost']['total'] == 0"
