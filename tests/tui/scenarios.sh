#!/usr/bin/env bash
# Each scenario of the demo: the verdict line names it within 3 s, and Enter leads to the evidence.
# limit: 150
. tests/tui/lib.sh
tool=$PWD/$PS
export XDG_CONFIG_HOME=$T/config
open_terminal 120 36

verdict() { screen | sed -n 3p | grep -qE -e "$1"; }
all_shown() { local text; for text in "$@"; do shown "$text" || return 1; done; }
# the first stall may be older than the probes, the verdict may be about the machine for a moment: Enter is tried again
leads_to() {
	keys 1 Home Enter
	until_ok 1 all_shown "$@"
}
play() { # SCENARIO VERDICT EVIDENCE…
	local name=$1 expected=$2; shift 2
	run "clear; XDG_CONFIG_HOME='$T/config' $tool demo $name"
	await "scenario: $name" 10
	local begin=${EPOCHREALTIME/./}
	until_ok 10 verdict "$expected" || fail "$name: the verdict is not \"$expected\": $(screen)"
	local ms=$(( (${EPOCHREALTIME/./} - begin) / 1000 ))
	echo "$name is named after $ms ms"
	[ $ms -le "${NAMED_MS:-3000}" ] || slow+=("$name: $ms ms")
	local tries=0
	until leads_to "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 8 ] || fail "$name: Enter does not lead to \"$*\": $(screen)"
		until_ok 5 verdict "$expected"
	done
	keys q
	await 'ready>' 20 # taking the probes away waits for the kernel
}
slow=()
play healthy 'OK  no stall' '1\*Overview'
play computation 'scenario_computation' 'EVIDENCE of stall' 'callback  scenario_computation'
play sync-io 'scenario_sync_io' 'EVIDENCE of stall' 'syscall   read('
play regex 'scenario_regexec' 'EVIDENCE of stall' 'callback  scenario_regexec'
play json 'scenario_json_loads' 'EVIDENCE of stall' 'callback  scenario_json_loads'
play tick-starvation 'scenario_tick_starvation' 'EVIDENCE of stall' 'scenario_tick_starvation'
play timer-storm 'scenario_timer_storm' 'EVIDENCE of stall' 'callback  scenario_timer_storm'
play pool-congestion 'thread pool starved' '4\*Pool' 'scenario_pool_congestion\|user'
play dns-hog 'held by name lookups' '4\*Pool' 'T[1-4] dns'
play slow-consumer 'backpressure ignored' '6\*FDs' '^>.*unix'
play thread-per-connection 'a thread per connection' '7\*Timeline' 'conn '
# a machine that does other things too is given one that is late
[ ${#slow[@]} -le 1 ] || fail "not named within 3 s: ${slow[*]}"
