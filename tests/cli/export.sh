#!/usr/bin/env bash
# A real recording, exported: Perfetto decodes with protoc and holds the stall
# within its loop's busy slice, Chrome's JSON is one document whose slices nest,
# folded stacks and JSON lines are well formed, and a cut recording says so in
# its export.
# limit: 60
. tests/lib.sh

$PS demo -q computation -d 2s -o "$T/a.psr" >/dev/null || fail "demo: exit $?"
for format in perfetto chrome folded csv json; do
	$PS export "$T/a.psr" --to $format -o "$T/$format" 2>"$T/err" || fail "--to $format: exit $?: $(cat "$T/err")"
	[ ! -s "$T/err" ] || fail "--to $format of a whole recording says: $(cat "$T/err")"
	$PS export "$T/a.psr" --to $format 2>/dev/null | cmp -s - "$T/$format" || fail "--to $format into a pipe differs"
done

program protoc >/dev/null || skip "no protoc to check the Perfetto export with"
protoc --decode=Trace -Itests/data tests/data/trace.proto <"$T/perfetto" >"$T/text" 2>"$T/err" ||
	fail "protoc refuses the Perfetto export: $(head -3 "$T/err")"
grep -qE '^ *[0-9]+:' "$T/text" && fail "the Perfetto export has fields of no name: $(grep -E '^ *[0-9]+:' "$T/text" | head -3)"
cat >"$T/check.py" <<'PY'
import json, re, sys
def nest(spans):
    ends = []
    for start, end, name in sorted(spans, key=lambda s: (s[0], -s[1])):
        while ends and ends[-1] <= start:
            ends.pop()
        assert not ends or end <= ends[-1], f"{name} at {start} does not nest"
        ends.append(end)

# Perfetto, as protoc prints it
names, tracks, stacks, stalls = {}, {}, {}, []
events = []
for packet in open(sys.argv[1]).read().split("\npacket {"):
    for iid, name in re.findall(r'event_names \{\s+iid: (\d+)\s+name: "((?:[^"\\]|\\.)*)"', packet):
        names[iid] = name
    descriptor = re.search(r"track_descriptor \{\s+uuid: (\d+)\s+name: \"([^\"]*)\"", packet)
    if descriptor:
        tracks[descriptor[1]] = descriptor[2]
    kind = re.search(r"type: TYPE_SLICE_(BEGIN|END)", packet)
    if kind:
        iid = re.search(r"name_iid: (\d+)\n    track_uuid", packet)
        events.append((int(re.search(r"\n  timestamp: (\d+)", packet)[1]), len(events), kind[1],
                       re.search(r"track_uuid: (\d+)", packet)[1], names[iid[1]] if iid else None))
for ts, _, kind, track, name in sorted(events):
    stack = stacks.setdefault(track, [])
    if kind == "BEGIN":
        if stack and stack[-1][0] == "busy":
            stalls.append((tracks[track], name))
        stack.append((name, ts))
    else:
        stack.pop()
assert not any(stacks.values()), "slices are left open"
assert any(t.startswith("loop (epoll") and "scenario_computation" in n for t, n in stalls), f"no stall on a loop's track: {stalls[:3]}"
assert names and "recording end, 0 lost" in names.values(), "no end mark"

# Chrome
trace = json.load(open(sys.argv[2]))
lanes = {}
for event in trace["traceEvents"]:
    if event["ph"] == "X":
        start = round(event["ts"] * 1000)
        lanes.setdefault((event["pid"], event["tid"]), []).append((start, start + round(event["dur"] * 1000), event["name"]))
for spans in lanes.values():
    nest(spans)
assert any("scenario_computation" in e["name"] and "cause" in e.get("args", {}) for e in trace["traceEvents"]), "no stall in Chrome's"
assert trace["traceEvents"][-1]["name"] == "recording end, 0 lost"

# folded, JSON lines
for line in open(sys.argv[3]):
    assert re.fullmatch(r"[^;]+(;[^;]+)+ \d+\n", line), line
assert len([json.loads(line) for line in open(sys.argv[4])]) > 100
PY
python3 "$T/check.py" "$T/text" "$T/chrome" "$T/folded" "$T/json" || fail "see above"

# cut: everything before is exported, and the end mark tells the loss
head -c $(($(stat -c %s "$T/a.psr") / 2)) "$T/a.psr" >"$T/cut.psr"
$PS export "$T/cut.psr" --to chrome -o "$T/cut.json" 2>"$T/err" || fail "export of a cut recording: exit $?"
grep -q torn "$T/err" || fail "a cut recording is not called torn: $(cat "$T/err")"
holds "$T/cut.json" "d['otherData']['lost'] > 0 and d['traceEvents'][-1]['name'] != 'recording end, 0 lost'"

$PS export "$T/a.psr" --to perfetto >/dev/full 2>"$T/err"
[ $? = 7 ] || fail "a full disk is not exit 7: $(cat "$T/err")"
