#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A loop that is found ready to run, but not yet back from its wait, is not busy: on
# a crowded CPU it mostly is so. Its first wait is told like any other.
# limit: 60
. tests/lib.sh
need_root
[ "$(nproc)" -gt 1 ] || skip "needs a CPU for the tool beside the crowded one"

taskset -c 1 nice -n 10 python3 -S -c '
import select
poller = select.epoll()
while True: poller.poll(0.001)' & pids+=("$!")
target=$!
is_begun() { readlink /proc/"$target"/fd/* | grep -q eventpoll; }
until_ok 20 is_begun || fail "the loop does not begin"
# once it is there: it gets hardly any time
for _ in 1 2; do taskset -c 1 nice -n -5 bash -c 'while :; do :; done' & pids+=("$!"); done
for _ in 1 2 3 4 5 6 7 8; do
	taskset -c 0 $PS record --force -q -d 300ms -o "$T/found.psr" "$target" || fail "record: exit $?"
	$PS export -q --to json "$T/found.psr" >"$T/found.json" || fail "export: exit $?"
	grep -o '"event":"poll_[a-z]*"' "$T/found.json" >"$T/polls"
	[ "$(wc -l <"$T/polls")" -ge 4 ] || fail "waits were not told: $(wc -l <"$T/polls")"
	[ -z "$(uniq -d "$T/polls")" ] || fail "twice in a row: $(head -3 "$T/polls" | tr '\n' ' ')"
	! grep '"event":"lost"' "$T/found.json" || fail "events were lost"
done
