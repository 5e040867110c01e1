#!/usr/bin/env bash
# kill -9 of the tool at 20 random moments: no BPF program, link or uprobe is
# left, the target's text is unchanged and it still serves.
# limit: 90
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
bpftool=$(program bpftool) || skip "bpftool is not installed"

"$node" tests/data/blocking_server.js loop >"$T/port" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/port" || fail "node did not start"

loaded() { "$bpftool" prog show 2>/dev/null | grep -cE ' name on_'; }
events() { cat /sys/kernel/tracing/uprobe_events /sys/kernel/debug/tracing/uprobe_events 2>/dev/null; }
links() { "$bpftool" link show 2>/dev/null | grep -c '^[0-9]'; }
text() { python3 - "$pid" <<'PY'
import sys, zlib
pid = sys.argv[1]; crc = 0
for line in open(f'/proc/{pid}/maps'):
    f = line.split()
    if 'x' in f[1] and len(f) > 5 and f[5].endswith('/node'):
        a, b = (int(x, 16) for x in f[0].split('-'))
        with open(f'/proc/{pid}/mem', 'rb') as m:
            m.seek(a); crc = zlib.crc32(m.read(b - a), crc)
print(crc)
PY
}
as_before() { [ "$(loaded)" -le "$before" ] && [ "$(links)" -le "$before_links" ]; }
before=$(loaded); before_links=$(links); before_text=$(text); before_events=$(events)
seen=0
for i in $(seq 20); do
	$PS stat -d 20s --json "$pid" >/dev/null 2>&1 & tool=$!
	sleep "0.$(printf '%03d' $((RANDOM % 900)))"
	[ "$(loaded)" -gt "$before" ] && seen=$((seen + 1))
	kill -9 "$tool"; wait "$tool" 2>/dev/null
	until_ok 5 as_before || fail "round $i: left behind: $("$bpftool" prog show | grep -E 'name on_')"
done
[ "$seen" -gt 0 ] || fail "no program was ever seen loaded: the test shows nothing"
[ "$(events)" = "$before_events" ] || fail "uprobe events: $(events)"
[ "$(text)" = "$before_text" ] || fail "the target's text changed"
grep -q '^TracerPid:.*[^0-9]0$' "/proc/$pid/status" || fail "the target is traced"
curl -s "http://127.0.0.1:$(cat "$T/port")/" | grep -q hello || fail "the target does not serve"
