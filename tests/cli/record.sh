#!/usr/bin/env bash
# A recording says what the live summary said, number for number; --stall
# judges it again; replay without a terminal prints text; export writes it.
# limit: 60
. tests/lib.sh

$PS demo -q computation -d 3s --json -o "$T/a.psr" >"$T/live.json" || fail "demo: exit $?"
$PS report --json "$T/a.psr" >"$T/report.json" 2>"$T/err" || fail "report: exit $?: $(cat "$T/err")"
[ ! -s "$T/err" ] || fail "a whole recording is called: $(cat "$T/err")"
diff "$T/live.json" "$T/report.json" >"$T/diff" || fail "stat and report differ: $(head -40 "$T/diff")"
cat "$T/a.psr" | $PS report --json - 2>/dev/null | diff "$T/report.json" - >/dev/null || fail "report of a pipe differs"

stalls='sum(len(l["stalls"]) for l in d["loops"])'
[ "$(json "$T/report.json" "$stalls")" -ge 2 ] || fail "no stalls to judge"
$PS report --stall 900ms --json "$T/a.psr" >"$T/again.json" || fail "report --stall: exit $?"
[ "$(json "$T/again.json" "$stalls")" = 0 ] || fail "report --stall does not judge again"

$PS report "$T/a.psr" >"$T/text" || fail "report as text: exit $?"
grep -q scenario_computation "$T/text" || fail "the text does not name the culprit: $(cat "$T/text")"
$PS replay "$T/a.psr" >"$T/replay" </dev/null || fail "replay: exit $?"
grep -q scenario_computation "$T/replay" || fail "replay does not name the culprit: $(cat "$T/replay")"

for format in perfetto chrome; do
	$PS export "$T/a.psr" --to $format -o "$T/out.$format" || fail "export --to $format: exit $?"
	[ -s "$T/out.$format" ] || fail "export --to $format wrote nothing"
done
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["traceEvents"]' "$T/out.chrome" || fail "chrome JSON"

# record to a pipe, from another process, and Ctrl-C with the data kept
$PS demo -q -d 20s >/dev/null 2>&1 & tool=$!; pids+=("$tool")
has_child() { server=$(pgrep -P "$tool") && grep -q demo-server "/proc/$server/comm"; }
until_ok 10 has_child || fail "no server"
$PS record --no-bpf "$server" -d 1s -o - 2>"$T/err" | $PS report --json - >"$T/pipe.json" || fail "record to a pipe: $(cat "$T/err")"
holds "$T/pipe.json" "d['loops'][0]['polls'] > 50"
mkfifo "$T/ready"
$PS record --no-bpf "$server" --ready-fd 3 -o "$T/c.psr" 2>"$T/err" 3>"$T/ready" & recorder=$!; pids+=("$recorder")
head -c 1 "$T/ready" >/dev/null
sleep 1.2
kill -INT "$recorder"; wait "$recorder" || fail "record after Ctrl-C: exit $?: $(cat "$T/err")"
$PS report --json "$T/c.psr" >"$T/c.json" 2>"$T/err" || fail "report: exit $?"
[ ! -s "$T/err" ] || fail "Ctrl-C left: $(cat "$T/err")"
holds "$T/c.json" "d['loops'][0]['polls'] > 50"

# the target ends while it is recorded: the data is kept, exit 0
$PS record --no-bpf "$server" -o "$T/d.psr" --ready-fd 3 2>"$T/err" 3>"$T/ready" & recorder=$!; pids+=("$recorder")
head -c 1 "$T/ready" >/dev/null
sleep 0.5
kill -9 "$server"
wait "$recorder" || fail "record of a target that ended: exit $?: $(cat "$T/err")"
$PS report --json "$T/d.psr" >"$T/d.json" || fail "report: exit $?"
holds "$T/d.json" "d['loops'][0]['polls'] > 10"
