#!/usr/bin/env bash
# The demo on a terminal: the dashboard is live, the key of a scenario turns the
# verdict into the stall's name within 2 s, q gives the terminal back, nothing is left.
# limit: 60
. tests/lib.sh
command -v tmux >/dev/null || skip "tmux is not installed"
terminal="tmux -L pollscope-demo-$$"
trap '$terminal kill-server 2>/dev/null; finish' EXIT

$terminal -f /dev/null new-session -d -x 120 -y 36 "env -u NO_COLOR bash --norc -i" || fail "tmux does not start"
shown() { $terminal capture-pane -p | grep -q -- "$1"; }
$terminal send-keys "PS1='ready> '; clear; $PWD/$PS demo; echo exit \$?" Enter
until_ok 10 shown 'scenario: healthy' || fail "no dashboard: $($terminal capture-pane -p)"
until_ok 10 shown 'OK  no stall' || fail "a healthy server is not OK: $($terminal capture-pane -p)"
$terminal send-keys C
named() { $terminal capture-pane -p | sed -n 3p | grep -q scenario_computation; }
until_ok 2 named || fail "the verdict does not name the stall within 2 s: $($terminal capture-pane -p)"
shown 'scenario: computation' || fail "the scenario is not shown"
$terminal send-keys 2
until_ok 3 shown 'scenario_computation' || fail "the Stalls screen does not show it"
tool=$(pgrep -f "^$PWD/$PS demo" | head -1)
server=$(pgrep -P "$tool")
$terminal send-keys q
until_ok 3 shown 'exit 0' || fail "q does not end it: $($terminal capture-pane -p)"
until_ok 3 shown 'ready>' || fail "the terminal is not given back: $($terminal capture-pane -p)"
[ ! -e "/proc/$server" ] || fail "the server is left"

# a tiny terminal neither crashes nor stops it
$terminal resize-window -x 1 -y 1
$terminal send-keys "clear; $PWD/$PS demo -d 1s; echo exit \$? >$T/rc" Enter
until_ok 10 test -s "$T/rc" || fail "1x1: does not end"
grep -q 'exit 0' "$T/rc" || fail "1x1: $(cat "$T/rc")"
