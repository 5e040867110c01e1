#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A module of node that blocks its loop in WebAssembly and in a native addon: the
# stacks are whole, from the guest's code to the function of the module that called it.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
"$node" -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || skip "this node is older than 20"
addon=
for include in /usr/include/node "$(dirname "$(dirname "$(readlink -f "$node")")")/include/node"; do
	[ -e "$include/node_api.h" ] || continue
	cc -O2 -shared -fPIC -I"$include" -o "$T/addon.node" tests/data/addon.c && addon=$T/addon.node
	break
done
[ -n "$addon" ] || echo "no headers of node: the addon is left out"

"$node" --enable-source-maps tests/data/guests.mjs $addon >"$T/ready" 2>"$T/node.err" & pids+=("$!")
pid=$!
until_ok 10 grep -q ready "$T/ready" || fail "node did not start: $(head -c 2000 "$T/node.err")"
$PS stat -d 4s --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
line() { grep -n "// $1\$" tests/data/guests.mjs | cut -d: -f1; }
# calls FUNCTION LINE NAME MODULE: some stack has that function, called from that place
calls() {
	holds "$T/stat.json" "any(f['name'] and f['name'].startswith('$3') and (f['module'] or '').endswith('$4') and
		any(g['name'] == '$1' and g['line'] == $2 and g['file'].endswith('/guests.mjs') for g in k['frames'][i:])
		for l in d['loops'] for s in l['stalls'] for k in s['stacks'] for i, f in enumerate(k['frames']))"
}
calls runModule "$(line wasm)" '[wasm]' ''
[ -z "$addon" ] || calls callAddon "$(line addon)" grind_numbers addon.node
