#!/usr/bin/env bash
# Node on Debian's 6.1 and 6.12 kernels in QEMU: stalls are named by function, file and
# line, their callers follow, and jobs of the pool are counted by kind.
# limit: 400
. tests/lib.sh
. tests/vm/lib_vm.sh
[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64"
node=$(program node) || skip "node is not installed"
kernels=$(tests/vm/kernels 2>"$T/err") || skip "$(cat "$T/err")"

cat >"$T/run.sh" <<'RUN'
cat >/tmp/turn.js <<-END
	const crypto = require('crypto');
	function spin(ms) {
	  const until = Date.now() + ms;
	  while (Date.now() < until);
	}
	function turn() {
	  spin(150);
	  for (let i = 0; i < 3; i++)
	    crypto.pbkdf2('secret', 'salt', 10, 16, 'sha1', () => {});
	  setTimeout(turn, 150);
	}
	turn();
	console.log('turning');
END
node /tmp/turn.js >/tmp/out &
pid=$!
until [ -s /tmp/out ]; do sleep 0.2; done
pollscope stat -d 5s --json $pid >/tmp/node.json
echo "VM-STAT $?"
# megabytes take long on a serial line
echo VM-JSON-BEGIN
gzip -c /tmp/node.json | base64
echo VM-JSON-END
RUN
vm_image "$T/initrd" "$PS" "$node"
# shellcheck disable=SC2086
vm_finish_all "$T/initrd" 190 $kernels
number=0
for kernel in $kernels; do
	echo "== $kernel"
	number=$((number + 1)) console=$T/console.$number
	grep -q '^VM-STAT 0' "$console" || { tail -50 "$console"; fail "stat failed"; }
	sed '1,/^VM-JSON-BEGIN/d;/^VM-JSON-END/,$d' "$console" | base64 -d | gunzip >"$T/node.json"
	json "$T/node.json" '[(s["cause"], s["rule"], s["culprit"], s["duration_ns"] // 1000000) for l in d["loops"] for s in l["stalls"]]'
	json "$T/node.json" '[(p["group"], p["state"], p["reason"], p["hits"]) for p in d["probes"]]'
	holds "$T/node.json" "d['lost']['total'] == 0"
	stalls="[s for s in d['loops'][0]['stalls'] if not s['at_attach'] and not s['open'] and s['duration_ns'] >= 140e6]"
	holds "$T/node.json" "len($stalls) >= 5"
	# where the host stops the whole machine, another cause takes the longest share of a stall
	holds "$T/node.json" "sum((s['cause'], s['rule'], s['culprit']) == ('cpu', 'computation', 'spin turn.js:4') for s in $stalls) >= 0.7 * len($stalls)"
	frames="[(f['name'], f['line']) for f in k['frames'] if f['kind'] == 'js' and (f['file'] or '').endswith('turn.js')]"
	holds "$T/node.json" "sum(${frames}[-2:] == [('spin', 4), ('turn', 7)] for s in $stalls for k in s['stacks']) >= 20"
	counts="{c['name']: c['jobs'] for p in d['pools'] for c in p['classes']}"
	json "$T/node.json" "$counts"
	# the probes of the pool come seconds after those of stalls here
	holds "$T/node.json" "list($counts) == ['PBKDF2'] and 9 <= ${counts}['PBKDF2'] <= 3 * len(d['loops'][0]['stalls']) + 3"
done
