#!/usr/bin/env bash
# Every key of the table on live targets: node, redis and the demo. A key that keys.txt does not play is a failure.
# limit: 150
. tests/tui/lib.sh
tool=$PWD/$PS
table=$PWD/tests/tui/keys.txt

# ---- no key is untested ----
grep -v '^#' "$table" | cut -d'|' -f1 | sort -u >"$T/played"
dashboard_keys=$($PS _man | awk '/Ic "\\&Space p"/ { on = 1 } on && /It Ic/ { print } /Ic "\\&q F10"/ { exit }' |
	sed 's/^\.It Ic "\\&\(.*\)"$/\1/; s/\\e/\\/g; s/\\-/-/g' | sort -u)
missing=$(comm -3 <(echo "$dashboard_keys") "$T/played")
[ -z "$missing" ] || fail "not played, or no key: $missing"

# ---- play them ----
open_terminal 120 36
seen() { screen | grep -qE -e "$1"; }
unseen() { ! seen "$1"; }
reset_keys() { keys Escape; keys Escape; keys Escape; keys L; keys 1; }
play_all() { # TARGET-NAME
	local name before sent expected wrong=0 played=0
	while IFS='|' read -r name before sent expected; do
		case $name in '#'*|'') continue ;; esac
		reset_keys
		until_ok 3 seen '1\*Overview' || fail "$1: no way back to the overview before \"$name\": $(screen)"
		local key
		played=$((played + 1))
		for key in $before; do keys -- "$key"; done
		keys -- "$sent"
		case $expected in
		'!'*) until_ok 3 unseen "${expected#!}" ;;
		*) until_ok 3 seen "$expected" ;;
		esac && continue
		echo "$1: \"$name\" ($before, then $sent) does not show \"$expected\": $(screen)"
		wrong=$((wrong + 1))
	done <"$table"
	echo "$1: $played played, $wrong wrong"
	[ $wrong = 0 ] || fail "$1: $wrong keys"
	reset_keys
	keys q
	await 'ready>' 20 # taking the probes away waits for the kernel
}
start() { # ARGUMENTS…
	run "clear; XDG_CONFIG_HOME='$T/config' $tool $*"
	until_ok 15 seen '1\*Overview' || fail "$*: no dashboard: $(screen)"
	sleep 4.5 # the keys of time want seconds to step over
}
start demo computation
play_all demo
[ "$(id -u)" = 0 ] || { echo "node and redis need root"; exit 0; }
if node=$(program node); then
	port=$(free_port)
	$node -e "require('http').createServer((q, s) => { s.end('x'); }).listen($port, '127.0.0.1'); setInterval(() => { const e = Date.now() + 60; while (Date.now() < e); }, 700)" &
	pids+=($!)
	start top $!
	play_all node
fi
if redis=$(program redis-server); then
	port=$(free_port)
	$redis --port "$port" --bind 127.0.0.1 --save '' --dir "$T" >/dev/null &
	pids+=($!)
	start top $!
	play_all redis
fi
