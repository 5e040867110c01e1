#!/usr/bin/env bash
# Debian's 6.1 and 6.12 kernels in QEMU: the default probes load, both known
# kinds of stall of a plain epoll program are found, named and explained.
# limit: 400
. tests/lib.sh
. tests/vm/lib_vm.sh
[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64"
kernels=$(tests/vm/kernels 2>"$T/err") || skip "$(cat "$T/err")"

cat >"$T/run.sh" <<'RUN'
plain_epoll 60 >/dev/null &
pid=$!
sleep 1
pollscope stat -d 6s --json $pid >/tmp/stat.json 2>/tmp/err
echo "VM-STAT $?"
cat /tmp/err
echo VM-JSON-BEGIN
cat /tmp/stat.json
echo VM-JSON-END
pollscope doctor
kill $pid
RUN
vm_image "$T/initrd" "$PS" "$B/tests/programs/plain_epoll"
for kernel in $kernels; do
	echo "== $kernel"
	vm_finish "$kernel" "$T/initrd" 70 "$T/console"
	sed '1,/^VM-JSON-BEGIN/d;/^VM-JSON-END/,$d' "$T/console" >"$T/vm.json"
	grep -q '^VM-STAT 0' "$T/console" || { tail -50 "$T/console"; fail "stat failed"; }
	json "$T/vm.json" '[(s["cause"], s["duration_ns"] // 1000000) for l in d["loops"] for s in l["stalls"]]'
	stalls='[s for l in d["loops"] for s in l["stalls"] if not s.get("at_attach")]'
	spins="[s for s in $stalls if s['cause'] == 'cpu']"
	sleeps="[s for s in $stalls if s['cause'] == 'sync-io']"
	holds "$T/vm.json" "len($spins) >= 3 and len($sleeps) >= 3"
	holds "$T/vm.json" "all(s['syscall']['name'] in ('nanosleep', 'clock_nanosleep') for s in $sleeps)"
	# where the host stops the whole machine for a moment, a slice of no kind is long, too
	holds "$T/vm.json" "min(s['duration_ns'] for s in $stalls if '_on_purpose' in s['culprit']) >= 100e6"
	# an emulated machine on a crowded one may be late with some of them
	holds "$T/vm.json" "sorted(s['duration_ns'] for s in $stalls)[len($stalls) // 2] <= 150e6"
	holds "$T/vm.json" "any('spin_on_purpose' in (f['name'] or '') for s in $spins for k in s['stacks'] for f in k['frames'])"
	holds "$T/vm.json" "d['lost']['total'] == 0"
done
