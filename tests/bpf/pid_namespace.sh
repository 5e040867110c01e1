#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# In a PID namespace, as in a container, the kernel's numbers of processes are not those that the tool
# knows: all probes work there all the same, for processes in it and in one inside of it.
# limit: 60
if [ "${1:-}" != inside ]; then
	. tests/lib.sh
	need_root
	program node >/dev/null || skip "node is not installed"
	unshare -p -m -f --mount-proc true 2>/dev/null || skip "no PID namespace can be made here"
	unshare -p -m -f --mount-proc --kill-child bash "$0" inside
	exit
fi
. tests/lib.sh
node=$(program node)
cat >"$T/spin.js" <<'EOP'
const crypto = require('crypto');
setInterval(function spin() {
  for (const end = Date.now() + 150; Date.now() < end;);
}, 500);
setInterval(() => crypto.pbkdf2('a', 'b', 1000, 64, 'sha512', () => {}), 50);
EOP
"$node" "$T/spin.js" & pids+=($!)
pid=$!
[ "$pid" -lt 200 ] || fail "$pid is no number of a new namespace"
# another one, one level deeper
unshare -p -f "$node" "$T/spin.js" & pids+=($!)
deeper() { pgrep -P "$!" node; }
until_ok 10 deeper || fail "node did not start in the inner namespace"
inner=$(deeper)
sleep 1
for target in "$pid" "$inner"; do
	$PS stat -d 3s --json "$target" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	main="[l for l in d['loops'] if l['pid'] == $target and l['tid'] == $target][0]"
	holds "$T/stat.json" "all(p['state'] in ('on', 'fallback', 'off') for p in d['probes'])"
	holds "$T/stat.json" "{'poll', 'sched', 'sampling', 'poller', 'ready', 'runtime'} <= {p['group'] for p in d['probes'] if p['state'] != 'off'}"
	holds "$T/stat.json" "${main}['polls'] > 20"
	holds "$T/stat.json" "${main}['on_cpu_ns'] > 20e6"
	holds "$T/stat.json" "any(f['name'] == 'spin' for s in ${main}['stalls'] for k in s['stacks'] for f in k['frames'])"
	holds "$T/stat.json" "${main}['poller']['depth'] >= 1"
	holds "$T/stat.json" "{c['name']: c['jobs'] for c in d['pools'][0]['classes']}['PBKDF2'] >= 5"
done
