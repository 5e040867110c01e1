#!/usr/bin/env bash
# Debian's 6.1 and 6.12 kernels in QEMU: the default probes load, both known
# kinds of stall of a plain epoll program are found, named and explained; also the
# first one of a program that had been asleep since before the attach; and no end of
# a wait is missing while other sessions come and go; functions of Python are named.
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
# whoever else comes to the functions of the waits hides the ends of those under way
pollscope record -q -d 6s -o /tmp/two.psr $pid &
recorder=$!
sleep 2
for i in 1 2 3 4; do pollscope stat -d 100ms --json $pid >/tmp/other.json; done
wait $recorder
echo VM-TWO-BEGIN
pollscope export -q --to json /tmp/two.psr | grep -o '"event":"poll_[a-z]*"'
echo VM-TWO-END
kill $pid
plain_epoll 60 4 >/dev/null &
pid=$!
sleep 1
pollscope stat -d 5s --json $pid >/tmp/asleep.json
echo VM-ASLEEP-BEGIN
cat /tmp/asleep.json
echo VM-ASLEEP-END
kill $pid
if [ -x /bin/python3.11 ]; then
	mkdir -p /usr/lib/python3.11/encodings
	touch /usr/lib/python3.11/os.py
	mv /bin/*.py /usr/lib/python3.11/encodings
	cat >/tmp/turn.py <<-END
	import select
	def spin(n):
	    while n: n -= 1
	def turn():
	    spin(200000)
	poller = select.epoll()
	while True:
	    poller.poll(0.1)
	    turn()
	END
	python3.11 -I -S /tmp/turn.py &
	pid=$!
	sleep 2
	pollscope stat -d 4s --stall 10ms --json $pid >/tmp/python.json
	echo VM-PYTHON-BEGIN
	cat /tmp/python.json
	echo VM-PYTHON-END
fi
RUN
python=()
library=/usr/lib/python3.11/encodings
[ -x /usr/bin/python3.11 ] && python=(/usr/bin/python3.11 "$library"/{__init__,aliases,utf_8,ascii}.py)
vm_image "$T/initrd" "$PS" "$B/tests/programs/plain_epoll" "${python[@]}"
# shellcheck disable=SC2086
vm_finish_all "$T/initrd" 150 $kernels
number=0
for kernel in $kernels; do
	echo "== $kernel"
	number=$((number + 1)) console=$T/console.$number
	sed '1,/^VM-JSON-BEGIN/d;/^VM-JSON-END/,$d' "$console" >"$T/vm.json"
	grep -q '^VM-STAT 0' "$console" || { tail -50 "$console"; fail "stat failed"; }
	json "$T/vm.json" '[(s["cause"], s["duration_ns"] // 1000000) for l in d["loops"] for s in l["stalls"]]'
	# not those that were cut by the begin or the end of the watch
	stalls='[s for l in d["loops"] for s in l["stalls"] if not s.get("at_attach") and not s["open"]]'
	spins="[s for s in $stalls if s['cause'] == 'cpu']"
	sleeps="[s for s in $stalls if s['cause'] == 'sync-io']"
	holds "$T/vm.json" "len($spins) >= 3 and len($sleeps) >= 3"
	holds "$T/vm.json" "all(s['syscall']['name'] in ('nanosleep', 'clock_nanosleep') for s in $sleeps)"
	# where the host stops the whole machine for a moment, a slice of no kind is long, too
	holds "$T/vm.json" "min(s['duration_ns'] for s in $stalls if '_on_purpose' in s['culprit']) >= 100e6"
	# an emulated machine on a crowded one may be late with some of them
	holds "$T/vm.json" "sorted(s['duration_ns'] for s in $stalls)[len($stalls) // 2] <= 150e6"
	holds "$T/vm.json" "any('spin_on_purpose' in (f['name'] or '') for s in $spins for k in s['stacks'] for f in k['frames'])"
	json "$T/vm.json" '(d["lost"], [(p["group"], p["hits"]) for p in d["probes"]])'
	holds "$T/vm.json" "d['lost']['total'] == 0"
	holds "$T/vm.json" "next(p for p in d['probes'] if p['group'] == 'poll')['reason'].startswith('fentry')"
	sed '1,/^VM-ASLEEP-BEGIN/d;/^VM-ASLEEP-END/,$d' "$console" >"$T/asleep.json"
	holds "$T/asleep.json" "len(d['loops']) == 1"
	sed '1,/^VM-TWO-BEGIN/d;/^VM-TWO-END/,$d' "$console" >"$T/two"
	[ "$(wc -l <"$T/two")" -gt 100 ] || fail "waits were not told beside other sessions: $(wc -l <"$T/two")"
	[ -z "$(uniq -d "$T/two")" ] || fail "beside other sessions $(uniq -d "$T/two" | sort | uniq -c)"
	if [ ${#python[@]} -gt 0 ]; then
		sed '1,/^VM-PYTHON-BEGIN/d;/^VM-PYTHON-END/,$d' "$console" >"$T/python.json"
		holds "$T/python.json" "any(s['culprit'] == 'spin turn.py:3' for s in d['loops'][0]['stalls'])"
		holds "$T/python.json" "any([(f['name'], f['line']) for f in k['frames'] if f['kind'] == 'python'] == [('spin', 3), ('turn', 5), ('<module>', 9)]
			for s in d['loops'][0]['stalls'] for k in s['stacks'])"
	fi
	first="min((s for s in d['loops'][0]['stalls']), key=lambda s: s['start_ns'])"
	holds "$T/asleep.json" "95e6 <= ${first}['duration_ns'] <= 150e6 and not ${first}['at_attach'] and ${first}['cause'] == 'cpu'"
	# of 5 s a third is busy by what it does, on a crowded machine more
	holds "$T/asleep.json" "d['loops'][0]['busy_ns'] < 3e9 and d['loops'][0]['wait_ns'] > 2e9"
done
