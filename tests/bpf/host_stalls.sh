#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Stalls that the host makes: other programs on the same CPU, and a CPU quota. The
# JavaScript function that happened to run is not blamed.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
group=
leave_group() {
	[ -n "$group" ] || return
	while read -r task; do echo "$task" >"${group%/*}/cgroup.procs"; done <"$group/cgroup.procs" 2>/dev/null
	rmdir "$group"
}
trap 'kill -9 "${pids[@]}" 2>/dev/null; wait 2>/dev/null; leave_group; rm -rf "$T"' EXIT

cat >"$T/innocent.js" <<'EOF'
const now = () => Number(process.hrtime.bigint()) / 1e6;
console.log('ready');
// 60 ms of CPU time, whatever the clock says
setInterval(function innocent() {
  const used = process.cpuUsage();
  for (let end = now() + 2000; now() < end;) {
    const { user, system } = process.cpuUsage(used);
    if (user + system > 60000) break;
  }
}, 400);
EOF
start() {
	"$@" "$node" --single-threaded "$T/innocent.js" >"$T/ready" & pids+=($!)
	pid=$!
	until_ok 10 test -s "$T/ready" || fail "node did not start"
	: >"$T/ready"
}
watch() {
	$PS stat -d 4s --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	kill "$pid"
	json "$T/stat.json" "[(s['cause'], s['rule'], s['culprit'], s['duration_ns'], s['on_cpu_ns'], s['runnable_ns'], s['blocked_ns'],
		s['throttled_ns'], s['open'], s['at_attach'], s['estimated']) for s in d['loops'][0]['stalls']]"
}
stalls="[s for s in d['loops'][0]['stalls'] if s['duration_ns'] > 160e6 and not s['open']]"

# four others on its CPU
hogs=()
for _ in 1 2 3 4; do taskset -c 0 sh -c 'while :; do :; done' & hogs+=($!); done
pids+=("${hogs[@]}")
start taskset -c 0
watch
kill -9 "${hogs[@]}"
holds "$T/stat.json" "len($stalls) >= 2"
holds "$T/stat.json" "all(s['cause'] == 'run-queue' and s['rule'] == 'host' and 'innocent' not in s['culprit'] for s in $stalls)"
holds "$T/stat.json" "all(s['culprit'].startswith('waiting for a CPU: cpu0 ran ') for s in $stalls)"
holds "$T/stat.json" "any(c['rule'] == 'host' and c['name'] is None for c in d['culprits'])"

# a fifth of a CPU
for root in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
	[ -e "$root/cgroup.procs" ] || continue
	[ "$root" = /sys/fs/cgroup ] && ! grep -q cpu "$root/cgroup.subtree_control" && continue
	mkdir "$root/pollscope-test-$$" 2>/dev/null || continue
	group=$root/pollscope-test-$$
	break
done
if [ -z "$group" ]; then echo "no control group can be made: the quota is left out"; exit 0; fi
start env
# the others on this machine shall not be what it waits for
echo 10000 >"$group/cpu.weight" 2>/dev/null || echo 200000 >"$group/cpu.shares"
echo "$pid" >"$group/cgroup.procs" || fail "cannot move node"
if [ -e "$group/cpu.max" ]; then echo '20000 100000' >"$group/cpu.max"; else echo 20000 >"$group/cpu.cfs_quota_us"; fi || fail "no quota"
watch
holds "$T/stat.json" "len($stalls) >= 2"
# while the machine is busy with others, a part is rightly said to wait for a CPU
holds "$T/stat.json" "any(s['cause'] == 'throttled' for s in $stalls)"
holds "$T/stat.json" "all(s['cause'] in ('throttled', 'run-queue') and s['rule'] == 'host' and 'innocent' not in s['culprit'] for s in $stalls)"
holds "$T/stat.json" "all(0 < s['throttled_ns'] <= s['runnable_ns'] for s in $stalls if s['cause'] == 'throttled')"
