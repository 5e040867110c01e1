#!/usr/bin/env bash
# bpftrace finds the loop's USDT points and counts phases by name.
# limit: 60
. tests/lib.sh
need_root
bpftrace=$(program bpftrace) || skip "bpftrace is not installed"
hello=$PWD/$B/tests/programs/hello
readelf -n "$hello" | grep -q 'Provider: pollscope' || skip "built without sys/sdt.h"

# every point of the seam is found by name, by readelf and by perf
expected=$(grep -oE '\bUSDT\((timer_##point|work_##point|[a-z_]+),' loop/probe.h | sed 's/USDT(//; s/,//' |
	sed 's/timer_##point/timer_set timer_stopped timer_fired/
	     s/work_##point/work_submitted work_started work_finished work_delivered work_cancelled/' | tr ' ' '\n' | sort -u)
found=$(readelf -n "$hello" | sed -n '/Provider: pollscope/{n;s/^ *Name: //p}' | sort -u)
[ "$found" = "$expected" ] || fail "readelf finds other points: $(diff <(echo "$expected") <(echo "$found"))"
# and every argument where tracers can read it: in registers and behind them, at no name of the program
named=$(readelf -n "$hello" | sed -n 's/^ *Arguments: //p' | grep -E '[a-z_]{4,}')
[ -z "$named" ] || fail "arguments that tracers cannot follow: $named"
if perf=$(program perf) && "$perf" --buildid-dir "$T/debug" buildid-cache --add "$hello" 2>/dev/null; then
	listed=$("$perf" --buildid-dir "$T/debug" list sdt 2>/dev/null | sed -n 's/^ *sdt_pollscope:\([a-z_]*\).*/\1/p' | sort -u)
	[ -z "$listed" ] || [ "$listed" = "$expected" ] || fail "perf list sdt: $listed"
fi

"$hello" >"$T/port" &
pids+=($!)
until_ok 5 grep -q . "$T/port" || fail "hello does not listen"
timeout -s INT 20 "$bpftrace" -p "${pids[0]}" -e "
usdt:$hello:pollscope:phase_begin { @phases[str(arg1)] = count(); }
usdt:$hello:pollscope:callback_begin { @callbacks = count(); }
BEGIN { printf(\"ready\\n\"); }" >"$T/out" 2>"$T/err" &
tracer=$!
pids+=("$tracer")
until_ok 15 grep -q ready "$T/out" || { kill -0 "$tracer" 2>/dev/null || skip "bpftrace does not attach: $(tail -n 1 "$T/err")"; fail "not attached"; }
for _ in 1 2 3 4 5; do curl -s "http://127.0.0.1:$(cat "$T/port")/" >/dev/null || fail "no answer"; done
kill -INT "$(pgrep -P "$tracer" | head -n 1)"
wait "$tracer"
polls=$(sed -n 's/^@phases\[poll\]: \([0-9]*\)$/\1/p' "$T/out")
grep '^@phases' "$T/out" | grep -vqE '^@phases\[[a-z]+( [a-z/]+)*\]:' && fail "phases without a name: $(cat "$T/out")"
[ "${polls:-0}" -ge 5 ] || fail "phases: $(cat "$T/out" "$T/err")"
[ "$(sed -n 's/^@callbacks: \([0-9]*\)$/\1/p' "$T/out")" -ge 10 ] || fail "callbacks: $(cat "$T/out")"
