#!/usr/bin/env bash
# However the dashboard ends, the terminal is as before: modes, screen, cursor; Ctrl-Z gives it back for a while.
# limit: 60
. tests/tui/lib.sh
tool=$PWD/$PS

$PS demo -q computation -d 2s -o "$T/a.psr" >/dev/null || fail "no recording: exit $?"
open_terminal 120 36
before=$(modes)

start() {
	run "clear; $tool replay a.psr; echo ended \$((128 + \$? % 128)) -"
	await 'Overview' 10
	alternate 1 || fail "the dashboard is not on the alternate screen"
	pid=$(pgrep -P "$(terminal display-message -p '#{pane_pid}')") || fail "no process"
}
restored() {
	await 'ready>'
	until_ok 3 alternate 0 || fail "$1: the alternate screen is left on"
	[ "$(terminal display-message -p '#{cursor_flag}')" = 1 ] || fail "$1: the cursor is hidden"
	# the shell edits lines in modes of its own: compare what a command finds
	run "clear; stty -a -F /dev/tty >after; echo told"
	await '^told'
}

run "stty -a -F /dev/tty >before; echo told"
await '^told'
for signal in TERM HUP INT QUIT SEGV ABRT; do
	start
	kill -$signal "$pid" || fail "cannot send $signal"
	until_ok "${EXIT_WITHIN:-3}" test ! -e "/proc/$pid" || fail "$signal does not end it"
	restored $signal
	cmp -s "$T/before" "$T/after" || fail "$signal: modes differ: $(diff "$T/before" "$T/after")"
done

start
keys C-z
await 'Stopped'
until_ok 3 alternate 0 || fail "stopped, but the alternate screen is on"
run "fg"
await 'Overview'
alternate 1 || fail "continued, but not on the alternate screen"
keys C-c
restored "Ctrl-C"
cmp -s "$T/before" "$T/after" || fail "Ctrl-C: modes differ: $(diff "$T/before" "$T/after")"
[ -n "$before" ] || fail "no modes"
