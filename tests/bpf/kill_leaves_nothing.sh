#!/usr/bin/env bash
# kill -9 of the tool at 20 random moments: no BPF program, link or uprobe is
# left, the target's text is unchanged and it still serves.
# limit: 150
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
bpftool=$(program bpftool) || skip "bpftool is not installed"

"$node" tests/data/blocking_server.js loop >"$T/port" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/port" || fail "node did not start"

# "prog 7" or "link 9", a line each: what the process holds; other tools on this machine are not our business
held() { sed -nE 's/^(prog|link)_id:\s*([0-9]+)$/\1 \2/p' "/proc/$1"/fdinfo/* 2>/dev/null | sort -u; }
# those of them that are still there
left() {
	comm -12 <(sort "$1") <({ "$bpftool" prog show; "$bpftool" link show; } 2>/dev/null |
		sed -nE 's/^([0-9]+): (.*)/\1 \2/p' | awk '{ print ($0 ~ / prog [0-9]+/ ? "link" : "prog"), $1 }' | sort)
}
events() { cat /sys/kernel/tracing/uprobe_events /sys/kernel/debug/tracing/uprobe_events 2>/dev/null; }
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
nothing_left() { [ -z "$(left "$T/held")" ]; }
before_text=$(text); before_events=$(events)
seen=0
for i in $(seq 20); do
	$PS stat -d 20s --json "$pid" >/dev/null 2>&1 & tool=$!
	sleep "0.$(printf '%03d' $((RANDOM % 900)))"
	held "$tool" >"$T/held"
	[ "$(wc -l <"$T/held")" -gt 3 ] && { seen=$((seen + 1)); [ -n "$(left "$T/held")" ] || fail "what is loaded cannot be seen"; }
	kill -9 "$tool"; wait "$tool" 2>/dev/null
	until_ok 5 nothing_left || fail "round $i: left behind: $(left "$T/held")"
done
[ "$seen" -gt 0 ] || fail "no program was ever seen loaded: the test shows nothing"
[ "$(events)" = "$before_events" ] || fail "uprobe events: $(events)"
[ "$(text)" = "$before_text" ] || fail "the target's text changed"
grep -q '^TracerPid:.*[^0-9]0$' "/proc/$pid/status" || fail "the target is traced"
curl -s "http://127.0.0.1:$(cat "$T/port")/" | grep -q hello || fail "the target does not serve"
