#!/usr/bin/env bash
# Workers that hung before anybody looked, beside loops that go on: the one that
# computes for ever and the one that waits in a call are found with their pollers and
# told; one that is parked (Atomics.wait) and pool threads that work are not.
# limit: 90
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
mkfifo "$T/fifo"
cat >"$T/workers.js" <<'JS'
const { Worker, isMainThread, workerData } = require('worker_threads');
const does = {
	loop() { setTimeout(function stuck() { for (;;); }, 100); },
	fifo() { setTimeout(function reading() { require('fs').readFileSync(process.argv[2]); }, 100); },
	park() { setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 100); },
	calm() { setInterval(() => {}, 100); },
};
if (isMainThread) {
	for (const what in does) new Worker(__filename, { workerData: what, argv: [process.argv[2]] });
	const again = () => require('crypto').pbkdf2('a', 'b', 1000000, 64, 'sha512', again);
	again();
	setInterval(() => {}, 200);
	setTimeout(() => console.log('hung'), 1500);
} else {
	does[workerData]();
}
JS

for which in "$node" "$B/peers/usr/bin/node-debian"; do
	[ -x "$which" ] || continue
	name=$(basename "$which")
	"$which" "$T/workers.js" "$T/fifo" >"$T/$name.out" 2>"$T/node.err" & pids+=("$!")
	pid=$!
	until_ok 20 grep -q hung "$T/$name.out" || fail "$name: $(cat "$T/node.err")"
	$PS stat -d 3s --json "$pid" >"$T/$name.json" 2>"$T/err" || fail "$name: exit $?: $(cat "$T/err")"
	kill -9 "$pid"
	python3 - "$T/$name.json" "$T/fifo" <<'PY' || fail "$name: not as they hang"
import json, sys
d = json.load(open(sys.argv[1]))
open_ = [(l, s) for l in d['loops'] for s in l['stalls'] if s['open'] and s['duration_ns'] > 2e9]
print([(l['tid'], l['poller_fd'], s['cause'], s['culprit']) for l, s in open_])
assert len(open_) == 2 and len({l['poller_fd'] for l in d['loops']}) == len(d['loops'])
# on a crowded machine the first may have waited for a CPU more than it ran
spins = [s for l, s in open_ if 'stuck workers.js:3' in s['culprit'] or s['cause'] == 'run-queue']
waits = [s for l, s in open_ if sys.argv[2] in s['culprit']]
assert len(spins) == 1 and len(waits) == 1 and waits[0]['cause'] == 'sync-io'
hung = [f for f in d['findings'] if f['id'] == 'PS004']
assert len(hung) == 2, d['findings']
# the main thread, the calm one, and what node runs for itself
assert sum(l['polls'] > 5 for l in d['loops']) >= 2
PY
done
