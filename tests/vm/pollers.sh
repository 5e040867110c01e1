#!/usr/bin/env bash
# Debian's 6.1 and 6.12 kernels in QEMU, where fentry is allowed: a server that
# sleeps 50 ms per request holds up its second client by that, as ep_poll_callback
# tells; and a poller of 100,000 descriptors is read whole.
# limit: 620
. tests/lib.sh
. tests/vm/lib_vm.sh
[ "$(uname -m)" = x86_64 ] || skip "the kernels are for x86_64"
kernels=$(tests/vm/kernels 2>"$T/err") || skip "$(cat "$T/err")"

cat >"$T/run.sh" <<'RUN'
slow_server >/tmp/server &
until [ -s /tmp/server ]; do sleep 0.1; done
show() { echo "VM-$1-BEGIN"; cat "/tmp/$1.json"; echo "VM-$1-END"; }
# a crowded machine takes most of the first window to attach
for seconds in 7 20; do
	pollscope stat -d ${seconds}s --json $(cat /tmp/server) >/tmp/ready.json 2>/tmp/err || cat /tmp/err
	served=$(awk '/"kind":/ { tcp = /"tcp"/ } /"dispatched":/ && tcp && $2 + 0 >= 3 { n++ } END { print n + 0 }' /tmp/ready.json)
	[ "$served" -ge 2 ] && break
done
show ready
kill $(cat /tmp/server)
ulimit -n 200000
many_eventfds >/tmp/many &
many=$!
until [ -s /tmp/many ]; do sleep 0.1; done
# it is awake for a moment ten times a second, for a longer one on a crowded machine
for try in 1 2 3 4; do
	pollscope stat -d 3s --json $many >/tmp/many.json 2>/tmp/err || cat /tmp/err
	grep -q '"waiters": 1,' /tmp/many.json && break
done
show many
RUN
vm_image "$T/initrd" "$PS" "$B/tests/programs/slow_server" "$B/tests/programs/many_eventfds"
part() { sed "1,/^VM-$1-BEGIN/d;/^VM-$1-END/,\$d" "$console" >"$T/$1.json"; }
# shellcheck disable=SC2086
vm_finish_all "$T/initrd" 200 $kernels
number=0
for kernel in $kernels; do
	echo "== $kernel"
	number=$((number + 1)) console=$T/console.$number
	part ready; part many
	json "$T/ready.json" '[(p["group"], p["state"], p["reason"]) for p in d["probes"] if p["group"] in ("ready", "poller")]'
	json "$T/ready.json" '[(f["kind"], f["ready"], f["dispatched"], (f["lag_ns"] or {}).get("p50")) for f in d["loops"][0]["fds"]]'
	ready="next(p for p in d['probes'] if p['group'] == 'ready')"
	holds "$T/ready.json" "len(d['loops']) == 1"
	holds "$T/ready.json" "${ready}['state'] == 'on' and 'ep_poll_callback' in ${ready}['reason']"
	clients="[f for f in d['loops'][0]['fds'] if f['kind'] == 'tcp']"
	holds "$T/ready.json" "len($clients) == 2 and all(f['dispatched'] >= 3 and f['read_bytes'] % 100 == 0 for f in $clients)"
	# one of the two always waits for the other; an emulated machine on a crowded one is late
	holds "$T/ready.json" "all(45e6 <= f['lag_ns']['p50'] <= 90e6 for f in $clients)"
	holds "$T/ready.json" "any(f['kind'] == 'pipe' and f['ready'] >= 3 for f in d['loops'][0]['fds'])"
	poller="d['loops'][0]['poller']"
	json "$T/many.json" "{name: value for name, value in $poller.items() if not isinstance(value, (list, dict))}"
	holds "$T/many.json" "${poller}['items'] == 100001 and ${poller}['complete'] and 16 <= ${poller}['depth'] <= 34 and ${poller}['waiters'] == 1"
	holds "$T/many.json" "d['own_cost']['rss_bytes'] < 128 << 20 and d['lost']['total'] == 0"
done
