#!/usr/bin/env bash
# docs/format.md is enough to read a recording: tests/psr_reader.py, written
# from it, says the same as the tool, line for line. And a recording of every
# format version there ever was is read.
# limit: 60
. tests/lib.sh
[ -e /usr/lib/x86_64-linux-gnu/libzstd.so.1 ] || ldconfig -p 2>/dev/null | grep -q libzstd.so.1 || skip "no libzstd.so.1 for Python"

# by FILE: both readers' lines, with text that needs no cleaning only
cat >"$T/same.py" <<'PY'
import json, sys
ours, theirs = ([json.loads(line) for line in open(name)] for name in sys.argv[1:3])
assert len(ours) == len(theirs) > 0, (len(ours), len(theirs))
for number, (a, b) in enumerate(zip(ours, theirs)):
    for record in (a, b):
        if "text" in record and not record["text"].isprintable():
            record["text"] = None
    # what an older file does not tell is 0 or not measured
    news = {key: value for key, value in a.items() if key not in b}
    assert all(value in (0, None) for value in news.values()), (number, news)
    assert not (news and sys.argv[3] == "exact"), (number, news)
    assert {key: value for key, value in a.items() if key in b} == b, f"line {number}:\n{a}\n{b}"
PY
same() {
	$PS export "$1" --to json -o "$T/ours" 2>"$T/err" || fail "$1: exit $?: $(cat "$T/err")"
	[ ! -s "$T/err" ] || fail "$1: $(cat "$T/err")"
	python3 tests/psr_reader.py "$1" >"$T/theirs" 2>"$T/err" || fail "the second reader fails on $1: $(tail -5 "$T/err")"
	python3 "$T/same.py" "$T/ours" "$T/theirs" "$2" 2>"$T/err" || fail "the readers differ on $1: $(tail -4 "$T/err")"
	rm -f "$T/ours"
}

$PS demo -q computation -d 2s --json -o "$T/a.psr" >"$T/a.json" || fail "demo: exit $?"
same "$T/a.psr" exact
# the second reader's numbers are the report's
polls=$(grep -c '"event":"poll_return"' "$T/theirs")
[ "$polls" = "$(json "$T/a.json" 'd["loops"][0]["polls"]')" ] || fail "the second reader counts $polls polls"

golden() { # VERSION EVENTS POLLS
	local file=tests/data/psr/v$1.psr
	same "$file" older
	$PS info "$file" --json >"$T/info" || fail "info $file: exit $?"
	holds "$T/info" "d['recording']['state'] == 'whole' and d['recording']['events'] == $2 and d['recording']['format'] == '$1'"
	$PS report "$file" --json >"$T/report" || fail "report $file: exit $?"
	holds "$T/report" "d['loops'][0]['polls'] == $3 and d['target']['comm'] == 'api' and abs(d['loops'][0]['utilization'] - 0.5) < 0.01"
}
golden 1.0 2363 500
golden 1.1 1173 250
golden 2.0 1173 250
same tests/data/recordings/node.psr older # of 1.1, with the scheduler's account of real slices
count=$(ls tests/data/psr/*.psr | wc -l)
[ "$count" = 3 ] || fail "$count golden files, and this test knows 3"
