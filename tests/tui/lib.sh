# A terminal for the scripts of this folder: a tmux server of its own, one shell with the prompt "ready> ".
# shellcheck shell=bash
. tests/lib.sh
command -v tmux >/dev/null || skip "tmux is not installed"
socket=pollscope-${0##*/}-$$
terminal() { tmux -L "$socket" "$@"; }
end_terminal() {
	local rc=$?
	terminal kill-server 2>/dev/null
	( exit $rc )
	finish
}
trap end_terminal EXIT

# open COLUMNS ROWS
open_terminal() {
	tmux -L "$socket" -f /dev/null new-session -d -x "$1" -y "$2" "cd '$T' && env -u NO_COLOR LC_ALL=C.UTF-8 PS1='ready> ' bash --norc --noprofile -i" ||
		fail "tmux does not start"
	until_ok 10 shown 'ready>' || fail "no shell in the terminal"
}
screen() { terminal capture-pane -p; }
shown() { screen | grep -q -e "$1"; }
hidden() { ! shown "$1"; }
await() { until_ok "${2:-10}" shown "$1" || fail "\"$1\" is not shown: $(screen)"; }
await_gone() { until_ok "${2:-5}" hidden "$1" || fail "\"$1\" is still shown: $(screen)"; }
keys() { terminal send-keys "$@"; }
# run COMMAND…: in the shell of the terminal
run() { keys "$*" Enter; }
alternate() { [ "$(terminal display-message -p '#{alternate_on}')" = "$1" ]; }
modes() { stty -a -F "$(terminal display-message -p '#{pane_tty}')"; }
