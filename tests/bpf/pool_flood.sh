#!/usr/bin/env bash
# A node program that does as many fs jobs as its pool takes, each of which would
# hit four probes: it keeps most of its throughput, because the probes are taken back
# soon. What is told is DETACHED, with the reason and the time that was seen, or a cost within the budget.
# limit: 120
. tests/lib.sh
need_root
node=$(program node) || node=$(program node-debian) || skip "no node is installed"

mkfifo "$T/in"
"$node" tests/data/pool_flood.js <"$T/in" >"$T/says" & pids+=($!)
pid=${pids[-1]}
exec 7>"$T/in"
until_ok 15 grep -q ready "$T/says" || fail "node did not start"

# count NAME: the jobs of three seconds from now on
count() { echo "$1" >&7; until_ok 15 grep -q "^$1 " "$T/says" || fail "$1: no figure"; }
# others on the machine change from one to the next: the best that is watched, against the mean of those alone
ok=0 best=0 sum=0
for round in 1 2 3 4 5; do
	count "alone$round"
	$PS stat -d 20s --json "$pid" >"$T/flood.json" 2>"$T/err" & tool=$!
	pids+=("$tool")
	echo "watched$round" >&7
	until_ok 15 grep -q "^watched$round " "$T/says" || fail "no figure"
	kill -INT "$tool"
	wait "$tool" || fail "stat: exit $?: $(cat "$T/err")"
	alone=$(sed -n "s/^alone$round //p" "$T/says") watched=$(sed -n "s/^watched$round //p" "$T/says")
	echo "round $round: $alone jobs alone, $watched watched: $(python3 -c "print(f'{$watched / $alone:.2f}')")"
	probe="[p for p in d['probes'] if p['group'] == 'runtime'][0]"
	echo "$(json "$T/flood.json" "($probe)['state'] + ': ' + ($probe)['reason']")"
	holds "$T/flood.json" "($probe)['state'] == 'detached' and 'of a core' in ($probe)['reason'] and 'until then' in ($probe)['reason'] or ($probe)['cost_ns_per_s'] <= ($probe)['budget_ns_per_s']"
	# what was seen stays, and is never told as nothing
	holds "$T/flood.json" "d['pools'][0]['by_kind']['fs']['submitted'] > 0 and (($probe)['state'] != 'detached' or d['pools'][0]['by_kind']['fs']['busy'] is None) and ($probe)['hits'] > 0"
	best=$((watched > best ? watched : best)) sum=$((sum + alone))
	[ $((10 * best * round)) -ge $((7 * sum)) ] && ok=1 && break
done
[ $ok = 1 ] || fail "the best of five is below 0.7 of the throughput"
