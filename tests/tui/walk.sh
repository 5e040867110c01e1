#!/usr/bin/env bash
# A recording on a real terminal: every screen, the evidence, filter, pause, snapshot, resizing.
# limit: 60
. tests/tui/lib.sh
tool=$PWD/$PS

$PS demo -q computation -d 2s -o "$T/a.psr" >/dev/null || fail "no recording: exit $?"
open_terminal 120 36
run "clear; $tool replay a.psr"
await 'Overview' 10
keys End
await 'scenario_computation'
for pair in '2 EVIDENCE' '3 PHASES' '4 POOL' '5 TIMERS' '6 PEER / PATH' '7 a cell is' '8 PS0' '9 LOSS AND COST' '1 DIAGNOSIS'; do
	keys "${pair%% *}"
	await "${pair#* }"
done
# the recording's own keys: the bar, speeds, steps, times, stalls
await '] [0-9.]*m\?s of'
keys +; await 'x2 '
keys - -; await 'x0.5 '
keys Home; await '0ns of\|\[|'
keys n; await 'paused'
keys ] '}' ,; await 'paused'
keys T 1 s Enter; await '00:01/'
keys N; await 'paused'
keys End; await ' end'
keys Enter
await 'EVIDENCE of stall'
await 'callback  scenario_computation'
keys Escape
await '1\*Overview'
keys 2
keys /
keys nosuchword
await 'none of'
keys Escape
await_gone 'none of'
keys '?'
await 'HELP'
keys q
await_gone 'HELP'
keys C-s
await 'saved to pollscope-'
saved=("$T"/pollscope-*.txt)
grep -q 'scenario_computation' "${saved[0]}" || fail "the snapshot has no stall: $(cat "${saved[0]}")"
[ "$(stat -c %a "${saved[0]}")" = 600 ] || fail "others may read the snapshot"

for size in '80 24' '40 8' '20 3' '1 1' '200 60' '120 36'; do
	terminal resize-window -x "${size% *}" -y "${size#* }" || fail "cannot resize to $size"
	case $size in
	'20 3') await 'needs 40x8' ;;
	'1 1') sized() { [ "$(modes | grep -o 'columns [0-9]*')" = 'columns 1' ]; }
	       until_ok 3 sized || fail "no such size"
	       alternate 1 || fail "1x1 ends it" ;;
	*) await 'scen' ;;
	esac
done
keys q
until_ok 5 alternate 0 || fail "q does not end it"

# where the cursor cannot be placed, plain text does
run "clear; TERM=dumb $tool replay a.psr >/dev/null </dev/null; echo exit \$? -"
await 'exit 0 -' 10
run "clear; TERM=no-such-terminal $tool replay a.psr; echo exit \$? --"
await 'exit 0 --' 10
