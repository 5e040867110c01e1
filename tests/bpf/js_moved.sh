#!/usr/bin/env bash
# What the garbage collector moves between a sample and its reading, which may be late on a busy machine: the functions of
# the sample are known all the same, also in Debian's node, where native code breaks the chain of frame pointers.
# limit: 60
. tests/lib.sh
need_root
found=0
for node in "$(program node)" "$B/peers/usr/bin/node-debian"; do
	[ -x "$node" ] || continue
	found=1
	"$node" --no-opt tests/data/chain.js 0 "$T/stack" moved >"$T/ready" 2>"$T/node.err" & pids+=($!)
	pid=$!
	until_ok 10 grep -q ready "$T/ready" || fail "node did not start: $(head -c 2000 "$T/node.err")"
	$PS stat -d 3s --json "$pid" >"$T/stat.json" 2>"$T/err" & tool=$!; pids+=("$tool")
	until_ok 10 test -s "$T/stack" || fail "node did not block"
	sleep 0.1 # it has taken samples, and goes on doing so
	kill -STOP "$tool"
	sleep 0.6
	kill -CONT "$tool"
	wait "$tool" || fail "stat: exit $?: $(cat "$T/err")"
	kill "$pid"
	python3 - "$T/stack" "$T/stat.json" <<'PY' || fail "$node"
import json, sys
wanted = [frame[0] for frame in json.load(open(sys.argv[1])) if frame[2]]
hashed = 0
for loop in json.load(open(sys.argv[2]))['loops']:
    for stack in (stack for stall in loop['stalls'] for stack in stall['stacks']):
        names = [frame['name'] for frame in stack['frames'] if frame['kind'] == 'js']
        if 'stop' not in names:
            continue
        hashed += stack['count'] if 'hash' in names else 0
        got = names[names.index('stop') + 1:]
        whole = not stack['frames'][-1]['name'].endswith(' more frames]')
        if got != (wanted if whole else wanted[:len(got)]):
            sys.exit(f'FAIL: got {got}, not {wanted}')
print(f'{hashed} samples before anything was moved')
sys.exit(hashed < 5)
PY
	rm -f "$T/stack" "$T/ready"
done
[ $found = 1 ] || skip "node is not installed"
