#!/usr/bin/env bash
# info tells what a recording is and whether it is complete; merge puts several
# into one whose counts are the sum.
# limit: 60
. tests/lib.sh

$PS demo -q computation -d 2s --rotate 1s -o "$T/a.psr" >/dev/null 2>"$T/err" && fail "demo takes --rotate"
$PS demo -q computation -d 2s -o "$T/a.psr" --json >"$T/a.json" || fail "demo: exit $?"
$PS info "$T/a.psr" --json >"$T/info" || fail "info: exit $?"
holds "$T/info" "d['schema_version'] == 1 and d['recording']['state'] == 'whole' and d['recording']['lost']['total'] == 0"
holds "$T/info" "d['recording']['events'] == sum(d['recording']['by_event'].values()) > 1000"
holds "$T/info" "1.5e9 < d['recording']['clocks']['length_ns'] < 4e9 and d['recording']['clocks']['realtime_steps'] == 0"
holds "$T/info" "d['recording']['bytes'] == $(stat -c %s "$T/a.psr") and d['recording']['format'] == '2.0'"
holds "$T/info" "d['recording']['probes']['ring']['state'] == 'on' and 'no-bpf' in d['recording']['probes']['poll']['reason']"
holds "$T/info" "[(p['comm'], p['loops']) for p in d['recording']['processes']] == [('demo-server', 1)]"
holds "$T/info" "'pollscope' in d['recording']['origin']['tool'] and len(d['recording']['origin']['boot_id']) == 36"
polls=$(json "$T/a.json" 'd["loops"][0]["polls"]')
[ "$(json "$T/info" 'd["recording"]["by_event"]["poll_return"]')" = "$polls" ] || fail "info counts other polls than the summary"
$PS info "$T/a.psr" >"$T/text" || fail "info as text: exit $?"
grep -q "whole: " "$T/text" && grep -q "poll_enter" "$T/text" || fail "the text lacks something: $(cat "$T/text")"
cat "$T/a.psr" | $PS info - --json >"$T/pipe" || fail "info of a pipe: exit $?"
holds "$T/pipe" "d['recording']['state'] == 'whole' and d['recording']['seek_points'] is None"

size=$(stat -c %s "$T/a.psr")
head -c $((size - 16)) "$T/a.psr" >"$T/open.psr"
head -c $((size * 2 / 3)) "$T/a.psr" >"$T/torn.psr"
python3 - "$T/a.psr" "$T/damaged.psr" <<'PY'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
blocks = [i for i in range(len(data)) if data[i:i + 8] == b"\xf1PSRblk\n"]
data[blocks[1] + 80] ^= 255
open(sys.argv[2], "wb").write(data)
PY
for state in torn damaged; do
	$PS info "$T/$state.psr" --json >"$T/info" || fail "info of a $state recording: exit $?"
	holds "$T/info" "d['recording']['state'] == '$state' and d['recording']['dropped'] > 0 and d['recording']['lost']['by_source']['file'] > 0"
done
$PS info "$T/torn.psr" | head -1 | grep -q 'torn in chunk' || fail "the text does not say torn"

# merge: the parts of a run, and a part twice from another boot
$PS demo -q -d 1s -o "$T/b.psr" --json >"$T/b.json" || fail "demo: exit $?"
$PS merge "$T/b.psr" "$T/a.psr" -o "$T/m.psr" || fail "merge: exit $?"
$PS report --json "$T/m.psr" >"$T/m.json" || fail "report of a merged recording: exit $?"
holds "$T/m.json" "sorted(l['polls'] for l in d['loops']) == sorted([$polls, $(json "$T/b.json" 'd["loops"][0]["polls"]')])"
count='sum(len(l["stalls"]) for l in d["loops"])'
[ "$(json "$T/m.json" "$count")" = $(( $(json "$T/a.json" "$count") + $(json "$T/b.json" "$count") )) ] ||
	fail "stalls went or came: $(json "$T/m.json" '[[l["pid"], l["stalls"]] for l in d["loops"]]')"
# the later one goes on for a second after the first: that second is no time of the first one's loop
for one in a b; do $PS report --json "$T/$one.psr" >"$T/r$one.json" || fail "report: exit $?"; done
python3 - "$T/m.json" "$T/ra.json" "$T/rb.json" <<'PY' || fail "merged loops have other times"
import json, sys
merged, *parts = [json.load(open(path))["loops"] for path in sys.argv[1:]]
for loop in [loop for part in parts for loop in part]:
    same = next(m for m in merged if m["pid"] == loop["pid"])
    for what in "busy_ns", "wait_ns":
        if abs(same[what] - loop[what]) > 5e6:
            sys.exit(f"FAIL: {what} of {loop['pid']}: {same[what]}, not {loop[what]}")
PY
$PS merge "$T/a.psr" -o "$T/one.psr" 2>/dev/null; [ $? = 2 ] || fail "one recording is not refused"
$PS merge "$T/a.psr" "$T/b.psr" 2>/dev/null; [ $? = 2 ] || fail "no output is not refused"
$PS merge "$T/a.psr" "$T/b.psr" -o "$T/m.psr" 2>/dev/null; [ $? = 7 ] || fail "an existing file is not refused"
$PS merge "$T/a.psr" "$T/torn.psr" -o - 2>"$T/err" | $PS report --json - >"$T/m.json" || fail "merge to a pipe: exit $?"
grep -q 'torn' "$T/err" || fail "the torn one is not told: $(cat "$T/err")"
holds "$T/m.json" "d['lost']['by_source']['file'] > 0"
$PS merge "$T/a.psr" "$T/b.psr" -o /dev/full 2>/dev/null; [ $? = 7 ] || fail "a full disk is not told"
