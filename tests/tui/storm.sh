#!/usr/bin/env bash
# A storm of resizes from 1x1 to 500x200 while keys are pressed on a live demo: it neither ends nor breaks, and the last
# size is drawn whole. STORM_SECONDS= makes it longer; B=build/asan finds what a release build hides.
# limit: 240
. tests/tui/lib.sh
tool=$PWD/$PS
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=1:detect_leaks=0} UBSAN_OPTIONS=print_stacktrace=1
open_terminal 120 36
run "clear; ASAN_OPTIONS=$ASAN_OPTIONS XDG_CONFIG_HOME='$T' $tool demo timer-storm 2>'$T/err'; echo ended \$? -"
await 'Overview' 20
names=(1 2 3 4 5 6 7 8 9 i '?' g c n N '[' ']' '{' L Enter Escape R '<' '>' z Z Space p : Down Up End Home F r M Tab h)
end=$((SECONDS + ${STORM_SECONDS:-10})) resizes=0
while [ $SECONDS -lt $end ]; do
	case $((RANDOM % 6)) in
	0) size='1 1' ;;
	1) size='500 200' ;;
	2) size="$((RANDOM % 60 + 1)) $((RANDOM % 12 + 1))" ;;
	*) size="$((RANDOM % 200 + 1)) $((RANDOM % 60 + 1))" ;;
	esac
	terminal resize-window -x "${size% *}" -y "${size#* }" || fail "the terminal is gone after $resizes resizes: $(cat "$T/err")"
	resizes=$((resizes + 1))
	key=${names[RANDOM % ${#names[@]}]}
	keys -- "$key"
done
terminal resize-window -x 120 -y 36
keys Escape; keys Escape; keys Escape; keys Escape; keys L; keys 1
await '1\*Overview' 10
alternate 1 || fail "it ended: $(screen) $(cat "$T/err")"
keys C-c
await 'ended 0 -' 10
[ ! -s "$T/err" ] || fail "$(cat "$T/err")"
echo "$resizes resizes"
