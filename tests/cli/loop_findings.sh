#!/usr/bin/env bash
# What an instrumented loop tells of its own sins becomes a finding: a busy loop
# by an idle hook, and connections that it had to close for want of descriptors.
# limit: 30
. tests/lib.sh

judge() { # SIN FINDING CONDITION-ON-f
	: >"$T/out"
	"$B/tests/programs/loop_sins" "$1" >"$T/out" &
	local pid=$!
	pids+=("$pid")
	until_ok 5 grep -q ready "$T/out" || fail "$1 does not begin"
	$PS stat -d 3s --json --no-bpf "$pid" >"$T/$1.json" 2>"$T/err" || fail "$1: exit $?: $(cat "$T/err")"
	kill "$pid"
	wait "$pid" 2>/dev/null
	holds "$T/$1.json" "any(f['id'] == '$2' and ($3) for f in d['findings'])"
}

judge busy PS009 True
judge shed PS018 "f['evidence']['shed'] > 50 and 'EMFILE' in f['title']"
