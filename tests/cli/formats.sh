#!/usr/bin/env bash
# Exports judged by the programs that read them: Perfetto's trace processor
# answers SQL with the report's numbers, protoc decodes with the public schema,
# pprof, babeltrace2 and promtool accept their formats, and totals are equal in
# all of them.
# limit: 120
. tests/lib.sh
PATH=$PATH:$PWD/$B/validators:$PWD/build/validators
engine=$B/validators/trace-processor
[ -d "$engine" ] || engine=build/validators/trace-processor
left=()
schema=
if [ -s "$engine/trace_processor.wasm" ] && command -v protoc >/dev/null; then
	python3 tests/perfetto_schema.py "$engine/trace_processor.wasm" "$T/schema" >"$T/out" 2>&1 || fail "no schema in the trace processor: $(cat "$T/out")"
	printf '%s\n' 'syntax = "proto2";' 'import "protos/perfetto/trace/trace_packet.proto";' \
		'message AllPackets { repeated perfetto.protos.TracePacket packet = 1; }' >"$T/packets.proto"
	schema=$T/schema
fi

$PS demo -q pool-congestion -d 3s -o "$T/pool.psr" >/dev/null || fail "demo pool-congestion: exit $?"
$PS demo -q computation -d 3s -o "$T/stall.psr" >/dev/null || fail "demo computation: exit $?"
files="$T/pool.psr $T/stall.psr"
if [ "$(id -u)" = 0 ] && program node >/dev/null && mkfifo "$T/ready"; then # stacks of a real program
	node tests/data/blocking_server.js pbkdf2 >/dev/null & node=$!; pids+=("$node")
	$PS record "$node" -d 4s -o "$T/node.psr" 2>"$T/err" && files="$files $T/node.psr" || echo "no recording of node: $(cat "$T/err")"
fi

for file in $files; do
	$PS report "$file" --json >"$T/report" || fail "report $file: exit $?"
	for format in perfetto chrome folded pprof csv json ctf openmetrics; do
		rm -rf "${T:?}/$format"
		$PS export "$file" --to $format -o "$T/$format" 2>"$T/err" && [ ! -s "$T/err" ] || fail "--to $format: $(cat "$T/err")"
	done
	[ "$(stat -c %a "$T/ctf/events" "$T/ctf/metadata" "$T/ctf" | tr '\n' ' ')" = '600 600 700 ' ] || fail "the CTF folder is open to others"

	# the report's stacks and busy time, in text formats
	stacks=$(json "$T/report" 'sum(k["count"] for l in d["loops"] for s in l["stalls"] for k in s["stacks"] if k["frames"])')
	[ "$(awk '{ sum += $NF } END { print sum + 0 }' "$T/folded")" = "$stacks" ] || fail "folded counts other samples than the report's $stacks"
	busy=$(awk -F, 'NR > 1 { sum += $5 } END { printf "%.0f\n", sum }' "$T/csv")
	# what is busy at the end has no line yet; the report has it
	holds "$T/report" "$busy <= 1.001 * sum(l['busy_ns'] for l in d['loops'])"
	lines=$(python3 -c '
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(sum(1 for r in rows if r["event"] == "poll_enter" and 0 < r["busy_since_ns"] <= r["ts"]))' "$T/json")
	[ "$(($(wc -l <"$T/csv") - 1))" = "$lines" ] || fail "csv has $(wc -l <"$T/csv") lines for $lines busy slices"

	if p=$(program pprof || command -v pprof); then
		got=$("$p" -raw "$T/pprof" 2>/dev/null | sed -n '/^Samples:/,/^Locations/s/^ *\([0-9]*\) *[0-9]*: .*/\1/p' | awk '{ sum += $1 } END { print sum + 0 }')
		[ "$got" = "$stacks" ] || fail "pprof counts $got samples, the report $stacks"
	else
		left+=("pprof: no such program")
	fi

	if b=$(program babeltrace2); then
		"$b" "$T/ctf" >"$T/events" 2>"$T/err" || fail "babeltrace2: $(tail -3 "$T/err")"
		[ "$(wc -l <"$T/events")" = "$(wc -l <"$T/json")" ] || fail "babeltrace2 reads $(wc -l <"$T/events") events of $(wc -l <"$T/json")"
		[ "$(grep -c ' poll_return: ' "$T/events")" = "$(grep -c '"event":"poll_return"' "$T/json")" ] || fail "babeltrace2 counts other polls"
	else
		left+=("ctf: no babeltrace2")
	fi

	polls=$(awk '/^pollscope_loop_polls_total/ { sum += $2 } END { print sum }' "$T/openmetrics")
	[ "$polls" = "$(json "$T/report" 'sum(l["polls"] for l in d["loops"])')" ] || fail "openmetrics counts $polls polls"
	if p=$(program promtool || command -v promtool); then
		"$p" tsdb create-blocks-from openmetrics "$T/openmetrics" "$T/tsdb" >"$T/out" 2>&1 || fail "promtool: $(cat "$T/out")"
		grep -v ' 1[0-9]\{9\}\.' "$T/openmetrics" | grep -v '^#' && fail "a sample without a time"
	else
		left+=("openmetrics: no promtool")
	fi

	if program node >/dev/null && [ -s "$engine/trace_processor.wasm" ]; then
		timeout 60 node tests/trace_processor.mjs "$engine" "$T/perfetto" \
			"select count(*) stalls, ifnull(max(s.dur), 0) longest from slice s join track t on s.track_id = t.id where t.name glob 'loop (*' and s.depth = 1" \
			"select ifnull(sum(s.dur), 0) busy from slice s join track t on s.track_id = t.id where t.name glob 'loop (*' and s.name = 'busy'" \
			"select max(c.value) queued from counter c join track t on c.track_id = t.id where t.name = 'pool: jobs queued'" \
			"select count(*) bad from stats where severity in ('error', 'data_loss') and value > 0" \
			"select count(*) marks from slice where name = 'recording end, 0 lost'" \
			"select count(*) flows from flow" >"$T/sql" 2>"$T/err" || fail "trace processor: $(tail -5 "$T/err")"
		python3 - "$T/sql" "$T/report" <<-'PY' || fail "Perfetto's numbers differ from the report's, see above"
			import json, sys
			rows = {}
			for line in open(sys.argv[1]):
			    rows.update(json.loads(line)[0])
			report = json.load(open(sys.argv[2]))
			loops, pools = report["loops"], report["pools"]
			stalls = [s["duration_ns"] for l in loops for s in l["stalls"]]
			print(rows, len(stalls), max(stalls, default=0))
			assert rows["stalls"] == len(stalls) and rows["longest"] == max(stalls, default=0)
			# a slice that was under way at the attach is drawn from its begin, and counted from the attach
			before = sum(s["at_attach"] for l in loops for s in l["stalls"]) * 300e6
			assert abs(rows["busy"] - sum(l["busy_ns"] for l in loops)) <= 0.05 * rows["busy"] + before, [l["busy_ns"] for l in loops]
			assert rows["bad"] == 0 and rows["marks"] == 1
			if pools and pools[0]["queued"] is not None:
			    assert rows["queued"] == max(p["max_queued"] for p in pools)
			if any(l["callbacks"] for l in loops):
			    assert rows["flows"] > 100
		PY
	else
		left+=("perfetto: no trace processor, or no node to run it")
	fi

	# by protoc with the public schema, which the trace processor carries: every field is known to it, and the counts agree
	if [ -n "$schema" ]; then
		protoc --descriptor_set_in="$schema" -I"$T" --decode=AllPackets packets.proto <"$T/perfetto" >"$T/decoded" 2>"$T/err" ||
			fail "protoc with the public schema: $(cat "$T/err")"
		! grep -nE '^ *[0-9]+[:{ ]' "$T/decoded" || fail "fields that the public schema does not know"
		begun=$(grep -c 'type: TYPE_SLICE_BEGIN' "$T/decoded") ended=$(grep -c 'type: TYPE_SLICE_END' "$T/decoded")
		[ "$begun" = "$ended" ] && [ "$begun" -gt 10 ] || fail "$begun slices begin and $ended end"
		[ "$(grep -c 'name: "recording end, 0 lost"' "$T/decoded")" = 1 ] || fail "no end mark for protoc"
		got=$(grep -c 'primary_trace_clock: BUILTIN_CLOCK_MONOTONIC' "$T/decoded")
		[ "$got" -ge 1 ] || fail "the clock is not MONOTONIC by the public schema"
	elif command -v protoc >/dev/null; then
		left+=("perfetto: no public schema for protoc, for there is no trace processor")
	else
		left+=("perfetto: no protoc")
	fi
done

# a folder is never written into one that is there, nor to standard output
$PS export "$T/stall.psr" --to ctf -o "$T/ctf" 2>"$T/err"; [ $? = 7 ] && grep -q exists "$T/err" || fail "a folder that is there: $(cat "$T/err")"
$PS export "$T/stall.psr" --to ctf 2>"$T/err" >/dev/null; [ $? = 2 ] || fail "ctf without -o: $(cat "$T/err")"

# a disk that fills up
if [ "$(id -u)" = 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=32k tmpfs "$T/small" 2>/dev/null; then
	for format in perfetto chrome json ctf; do
		$PS export "$T/stall.psr" --to $format -o "$T/small/x" 2>"$T/err"; rc=$?
		[ ! -e "$T/small/x" ] || { umount "$T/small"; fail "$format leaves something behind on a full disk"; }
		[ $rc = 7 ] && grep -q 'No space' "$T/err" || { umount "$T/small"; fail "$format on a full disk: exit $rc: $(cat "$T/err")"; }
	done
	$PS merge "$T/stall.psr" "$T/pool.psr" "$T/stall.psr" "$T/pool.psr" -o "$T/small/x" 2>"$T/err"; rc=$?
	umount "$T/small"
	[ $rc = 7 ] || [ $rc = 0 ] || fail "merge on a full disk: exit $rc: $(cat "$T/err")"
fi
[ ${#left[@]} = 0 ] || skip "not judged: $(printf '%s\n' "${left[@]}" | sort -u | paste -sd';')"
