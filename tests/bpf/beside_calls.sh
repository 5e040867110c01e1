#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Beside a program that makes hundreds of thousands of system calls a second, for whose sake the poll group rests, an
# idle loop is followed as exactly as alone: who is kept from running, however (poll_rests.sh has stalls and durations).
# limit: 120
. tests/lib.sh
need_root
program node >/dev/null || skip "node is not installed"
nice -n 19 dd if=/dev/zero of=/dev/null bs=1 2>/dev/null & pids+=($!)
bash tests/bpf/stopped.sh >"$T/out" 2>&1; rc=$?
grep -v '^ *{' "$T/out"
[ $rc != 77 ] || skip "it was skipped"
[ $rc = 0 ] || fail "stopped: exit $rc"
# and it did rest (what follows descriptors goes on by the typed sys_exit)
"$(program node)" -e 'setInterval(() => {}, 50); console.log("ready")' >"$T/ready" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/ready" || fail "node did not start"
$PS record -o "$T/r.psr" -q "$pid" 2>"$T/err" & record=$!; pids+=("$record")
rests() {
	cat /proc/"$record"/fdinfo/* 2>/dev/null | awk '/^tp_name/ { seen += $2 ~ /sched_switch/; call += $2 ~ /^sys_enter/ } END { exit !seen || call }'
}
until_ok 10 rests || {
	$PS stat -d 1s --json "$pid" >"$T/stat.json"
	holds "$T/stat.json" "[p for p in d['probes'] if p['group'] == 'poll'][0]['reason'].startswith('fentry')"
}
