#!/usr/bin/env bash
# Samples come with the scheduler's tick where that is often enough, and by timers
# else: both name who blocks the loop, in user and in kernel code, without the
# frames of the interrupt, and what the samples stand for is the time on the CPU.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"

cat >"$T/two.js" <<'JS'
const fs = require('fs');
function computing() { for (const end = Date.now() + 150; Date.now() < end;); }
function looking() { for (const end = Date.now() + 150; Date.now() < end;) fs.statSync('/'); }
setInterval(computing, 700);
setTimeout(() => setInterval(looking, 700), 350);
JS
"$node" "$T/two.js" & pids+=($!)
target=${pids[-1]}
until_ok 10 grep -q ep_poll "/proc/$target/wchan" || sleep 1

# watch FILE WORDS ARGUMENTS…: four seconds of it
watch() {
	local file=$1 words=$2
	shift 2
	$PS stat -d 4s --json "$@" "$target" >"$file" 2>"$T/err" || fail "stat: $(cat "$T/err")"
	holds "$file" "'$words' in [p for p in d['probes'] if p['group'] == 'sampling'][0]['reason']"
	for name in computing looking; do
		holds "$file" "len([s for s in d['loops'][0]['stalls'] if '$name two.js:' in s['culprit'] or s['cause'] == 'run-queue']) >= 3"
		holds "$file" "any('$name two.js:' in s['culprit'] for s in d['loops'][0]['stalls'])"
	done
	stacks="[[f['name'] or '' for f in k['frames']] for s in d['loops'][0]['stalls'] for k in s['stacks'] if k['kind'] == 'cpu']"
	holds "$file" "not [names for names in $stacks if 'apic_timer' in names[0] or 'on_tick' in names[0]]"
	# the calls of looking() are seen where they are in the kernel
	holds "$file" "any('statx' in name for names in $stacks for name in names)"
	holds "$file" "abs(d['loops'][0]['profile']['ns'] / d['loops'][0]['on_cpu_ns'] - 1) < 0.3"
}

tick_ns=$(python3 -c 'import time; print(int(time.clock_getres(5) * 1e9 + 0.5))') # CLOCK_MONOTONIC_COARSE
if grep -qv '^lapic' /sys/devices/system/clockevents/clockevent*/current_device; then
	echo "the tick is not by the CPU's own timer here"
elif [ "$tick_ns" -gt 5000000 ]; then
	echo "the tick comes each $tick_ns ns: too seldom"
else
	watch "$T/tick.json" "tick"
fi
# 1 ms between two looks
watch "$T/timer.json" "a timer of each CPU" --stall 10ms
