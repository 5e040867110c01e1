#!/usr/bin/env bash
# Flight mode and rotation: what is kept, when it is written, what the files
# are called, and what happens when they cannot be.
# limit: 90
. tests/lib.sh

$PS demo -q computation -d 80s >/dev/null 2>&1 & tool=$!; pids+=("$tool")
has_child() { server=$(pgrep -P "$tool") && grep -q demo-server "/proc/$server/comm"; }
until_ok 10 has_child || fail "no server"
mkdir "$T/d"
mkfifo "$T/ready"
# start ARGS…: records the server and waits until it is attached
start() {
	$PS record --no-bpf "$server" --ready-fd 3 "$@" 2>"$T/err" 3>"$T/ready" & recorder=$!; pids+=("$recorder")
	head -c 1 "$T/ready" >/dev/null
}
# stop CODE: Ctrl-C, and the exit code
stop() {
	kill -INT "$recorder"; wait "$recorder"; local rc=$?
	[ "$rc" = "$1" ] || fail "exit $rc and not $1: $(cat "$T/err")"
}
# whole FILE: a whole recording, which says nothing on stderr
whole() {
	$PS report --json "$1" >"$T/r.json" 2>"$T/w" && [ ! -s "$T/w" ] || fail "$1 is not whole: $(cat "$T/w")"
	[ "$(stat -c %a "$1")" = 600 ] || fail "$1 has mode $(stat -c %a "$1")"
}
stalls='[s for l in d["loops"] for s in l["stalls"]]'

# a stall is written by itself, with what was before and after it
start --ring 4s --on-stall 100ms -o "$T/d/stall.psr"
until_ok 20 grep -q "a stall of .* are in" "$T/err" || fail "no stall was written: $(cat "$T/err")"
[ -s "$T/d/stall.psr" ] || fail "no file: $(ls "$T/d")"
whole "$T/d/stall.psr"
# of one that was under way at the attach nobody knows in which callback
holds "$T/r.json" "any(s['duration_ns'] >= 100e6 and (s['at_attach'] or 'scenario_computation' in str(s)) for s in $stalls)"
holds "$T/r.json" "d['window_ns'] <= 5.5e9"
stop 0
whole "$T/d/stall.0002.psr"

# on demand and at the end; names of functions and threads that were told long before are there
start --ring 2s -o "$T/d/demand.psr"
sleep 3
[ -e "$T/d/demand.psr" ] && fail "written without a reason"
kill -USR1 "$recorder"
until_ok 5 test -s "$T/d/demand.psr" || fail "SIGUSR1 wrote nothing"
until_ok 5 grep -q SIGUSR1 "$T/err" || fail "and does not say so: $(cat "$T/err")"
sleep 0.7
stop 0
whole "$T/d/demand.psr"
holds "$T/r.json" "1e9 <= d['window_ns'] <= 3.6e9 and d['target']['comm'] == 'demo-server' and d['loops'][0]['polls'] > 5"
whole "$T/d/demand.0002.psr"
holds "$T/r.json" "d['window_ns'] <= 3.6e9 and d['target']['comm'] == 'demo-server'"

# rotation by time; numbers that are taken are passed over, links are not followed, only N stay
ln -s "$T/target" "$T/d/turn.0002.psr"
start --rotate 400ms --keep 2 -o "$T/d/turn.psr"
until_ok 10 test -e "$T/d/turn.0006.psr" || fail "no rotation: $(ls "$T/d"; cat "$T/err")"
stop 0
[ -L "$T/d/turn.0002.psr" ] && [ ! -e "$T/target" ] || fail "the link was touched"
rm "$T/d/turn.0002.psr"
[ "$(ls "$T/d"/turn*.psr | wc -l)" = 2 ] || fail "--keep 2 keeps $(ls "$T/d"/turn*)"
[ ! -e "$T/d/turn.psr" ] || fail "the oldest is still there"
for file in "$T/d"/turn*.psr; do
	whole "$file"
	holds "$T/r.json" "d['target']['comm'] == 'demo-server'"
done

# rotation by size, and no event twice: -n is exact over all files
$PS record --no-bpf "$server" --rotate 10K -n 9000 -o "$T/d/size.psr" 2>"$T/err" || fail "--rotate 10K: exit $?: $(cat "$T/err")"
[ -e "$T/d/size.0002.psr" ] || fail "no rotation by size: $(ls -l "$T/d"; cat "$T/err")"
grep -q '^pollscope: 9000 events in' "$T/err" || fail "-n 9000 says: $(cat "$T/err")"
for file in "$T/d"/size*.psr; do
	$PS export "$file" --to json | sed -n 's/.*"event":"iteration".*"number":\([0-9]*\).*/\1/p'
done | sort -n | uniq -d | grep -q . && fail "an iteration is in two files"

# what cannot be
$PS record --no-bpf "$server" --ring 5s -o - 2>"$T/err" >"$T/out" && fail "--ring to a pipe"
grep -q 'give -o FILE' "$T/err" || fail "--ring to a pipe says: $(cat "$T/err")"
$PS record --no-bpf "$server" --ring 5s -o "$T/d/stall.psr" 2>"$T/err"; rc=$?
[ $rc = 7 ] && grep -q exists "$T/err" || fail "a name that is taken: exit $rc: $(cat "$T/err")"
$PS record --no-bpf "$server" --ring 5s -o "$T/none/a.psr" 2>"$T/err"; [ $? = 7 ] || fail "no such folder"
$PS record --no-bpf "$server" --keep 3 -o "$T/d/x.psr" 2>"$T/err"; [ $? = 2 ] || fail "--keep alone"

# a full disk ends neither the flight nor a launched command
if [ "$(id -u)" = 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=16k tmpfs "$T/small" 2>/dev/null; then
	$PS record --no-bpf -o "$T/small/a.psr" -- bash -c "$PS demo -q computation -d 3s >/dev/null; echo ended >$T/ended" 2>"$T/err" &
	pids+=($!); wait $!; rc=$?
	cp "$T/small/a.psr" "$T/full.psr"; rm "$T/small/a.psr"
	if [ -s "$T/err" ] && grep -q 'No space' "$T/err"; then
		[ $rc = 7 ] || fail "full disk: exit $rc: $(cat "$T/err")"
		[ "$(cat "$T/ended")" = ended ] || fail "the launched command was ended with the recording"
		$PS report "$T/full.psr" >/dev/null 2>"$T/err" || fail "the file is not readable: $(cat "$T/err")"
		grep -q 'not finished' "$T/err" || fail "the file does not say that it ended early: $(cat "$T/err")"
	fi
	start --ring 3s -o "$T/small/b.psr"
	head -c 12000 /dev/urandom >"$T/small/fill"
	sleep 1
	kill -USR1 "$recorder"
	until_ok 5 grep -q 'No space' "$T/err" || fail "a full disk is not told: $(cat "$T/err")"
	rm "$T/small/fill"
	stop 7
	ls "$T/small"/b*.psr >/dev/null || fail "nothing was written when there was room again: $(cat "$T/err")"
	umount "$T/small"
fi
