#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A target that somebody keeps from running, before pollscope comes or while it watches: by a signal, and by the
# freezer of its control group (both versions, where they are mounted). It looks as if it waited, and must be no OK.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
group='' release=:
leave_group() {
	[ -n "$group" ] || return
	$release
	echo "$pid" >"${group%/*}/cgroup.procs"
	until_ok 5 rmdir "$group"
	group=
}
trap 'leave_group 2>/dev/null; kill -CONT $pid; kill -9 "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$T"' EXIT

"$node" -e 'setInterval(() => {}, 50); console.log("ready")' >"$T/ready" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/ready" || fail "node did not start"
main="[l for l in d['loops'] if l['tid'] == $pid][0]"

# held WHAT HOLD RELEASE: before the watch, and from its first half second on
held() {
	echo "$1"
	release=$3
	$2
	$PS stat -d 1500ms --json "$pid" >"$T/before.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	holds "$T/before.json" "[(s['cause'], s['open'], s['at_attach']) for s in ${main}['stalls']] == [('stopped', True, True)]"
	holds "$T/before.json" "'PS004' in [f['id'] for f in d['findings']]"
	$3
	: >"$T/attached"
	$PS stat -d 2s --json --ready-fd 3 "$pid" >"$T/while.json" 2>"$T/err" 3>"$T/attached" & watching=$!; pids+=("$watching")
	until_ok 20 test -s "$T/attached" || fail "it did not attach: $(cat "$T/err")"
	sleep 0.3
	$2
	sleep 0.7
	$3
	wait "$watching" || fail "stat: exit $?: $(cat "$T/err")"
	holds "$T/while.json" "max(s['duration_ns'] for s in ${main}['stalls'] if s['cause'] == 'stopped') > 400e6"
	holds "$T/while.json" "'PS003' in [f['id'] for f in d['findings']]"
}

stop() { kill -STOP "$pid"; until_ok 5 grep -q '^State:.*T' "/proc/$pid/status"; }
cont() { kill -CONT "$pid"; }
held "a signal" stop cont

# freezer ROOT FILE ON OFF EVENTS FROZEN
freezer() {
	[ -e "$1/cgroup.procs" ] && mkdir "$1/pollscope-test-$$" 2>/dev/null || return
	group=$1/pollscope-test-$$ file=$2 on=$3 off=$4 events=$5 frozen=$6
	[ -e "$group/$file" ] && echo "$pid" >"$group/cgroup.procs" 2>/dev/null || { rmdir "$group"; group=; return; }
	held "$1" freeze thaw
	leave_group
}
freeze() { echo "$on" >"$group/$file"; until_ok 5 grep -q "$frozen" "$group/$events"; }
thaw() { echo "$off" >"$group/$file"; }
freezer /sys/fs/cgroup/freezer freezer.state FROZEN THAWED freezer.state FROZEN
freezer /sys/fs/cgroup/unified cgroup.freeze 1 0 cgroup.events "frozen 1"
freezer /sys/fs/cgroup cgroup.freeze 1 0 cgroup.events "frozen 1"
exit 0
