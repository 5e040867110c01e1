#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A disk with no byte left, for every command that writes: one sentence that
# says so, exit code 7, and nothing is left there.
# limit: 60
. tests/lib.sh
[ "$(id -u)" = 0 ] || skip "needs root to mount a small disk"
mkdir "$T/full" && mount -t tmpfs -o size=16k tmpfs "$T/full" 2>/dev/null || skip "no tmpfs can be mounted"
trap 'umount "$T/full" 2>/dev/null; finish' EXIT
$PS demo -q computation -d 2s -o "$T/a.psr" >/dev/null || fail "demo: exit $?"
$PS demo -q -d 1s -o "$T/b.psr" >/dev/null || fail "demo: exit $?"
$PS demo -q -d 50s >/dev/null 2>&1 & tool=$!; pids+=("$tool")
has_child() { server=$(pgrep -P "$tool") && grep -q demo-server "/proc/$server/comm"; }
until_ok 10 has_child || fail "no server"
printf 'schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1000000\n' >"$T/budget.yml"
head -c 16k /dev/zero >"$T/full/ballast" 2>/dev/null
at=$T/full/out

# full COMMAND…: cannot write, says so, leaves nothing
full() {
	timeout 20 "$@" >"$T/out" 2>"$T/err" </dev/null; local rc=$?
	[ $rc = 7 ] || fail "$*: exit $rc: $(cat "$T/err")"
	[ "$(grep -c 'No space left' "$T/err")" = 1 ] || fail "$*: says: $(cat "$T/err")"
	[ "$(ls "$T/full")" = ballast ] || fail "$*: leaves $(ls "$T/full")"
}
# printed COMMAND…: the same of standard output, which is the caller's to take away
printed() {
	timeout 20 "$@" >"$at" 2>"$T/err" </dev/null; local rc=$?
	[ $rc = 7 ] || fail "$* > full disk: exit $rc: $(cat "$T/err")"
	grep -q 'No space left' "$T/err" || fail "$* > full disk: says: $(cat "$T/err")"
	rm "$at"
}

full $PS record --no-bpf -d 1s "$server" -o "$at"
full $PS record --no-bpf -d 1s "$server" --ring 5s -o "$at"
full $PS stat --no-bpf -d 1s "$server" -o "$at"
full $PS demo -q -d 1s -o "$at"
for format in perfetto chrome folded pprof csv json ctf openmetrics; do
	full $PS export tests/data/recordings/node.psr --to "$format" -o "$at"
	[ "$format" = ctf ] || printed $PS export tests/data/recordings/node.psr --to "$format"
done
full $PS merge "$T/a.psr" "$T/b.psr" -o "$at"
for option in --junit --markdown --benchmark; do
	full $PS check "$T/b.psr" --budget "$T/budget.yml" "$option" "$at"
done
full $PS check --init "$T/a.psr" -o "$at"
full $PS serve -q --no-bpf --textfile "$at" "$server"
printed $PS stat --no-bpf -d 1s --json "$server"
printed $PS stat --no-bpf -d 2s --jsonl "$server"
for command in "report" "report --json" "info" "info --json" "check --init"; do
	printed $PS $command "$T/a.psr"
done
printed $PS check "$T/b.psr" --budget "$T/budget.yml" --json
printed $PS diff "$T/a.psr" -- "$T/b.psr"
printed $PS diff "$T/a.psr" -- "$T/b.psr" --json
printed $PS ls --json
printed $PS doctor --json
TMPDIR=$T/full full $PS selftest -n 8 --ab "$PS demo -q -d 1s"
