#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Recordings that are no fault of ours: without a single event, of several
# format versions at once, with gigabytes of zeros behind them. Every command
# says what there is, none hangs, and none takes what is not there for a pass.
# limit: 60
. tests/lib.sh
printf 'schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1000\n' >"$T/lax.yml"
printf 'schema: 1\nregressions:\n  - metric: new.stalls\n' >"$T/new.yml"
formats="perfetto chrome folded pprof csv json ctf openmetrics"

# ends CODE COMMAND…: ends with CODE, at once
ends() {
	local code=$1 rc; shift
	timeout 10 "$@" >"$T/out" 2>"$T/err" </dev/null; rc=$?
	[ "$rc" = "$code" ] || fail "$*: exit $rc and not $code: $(head -c 600 "$T/err")"
}

# the head alone: a writer that was killed before the first event
python3 - "$PS" "$T/zero.psr" <<'PY' || fail "no head was found"
import subprocess, sys
whole = open('tests/data/psr/v1.1.psr', 'rb').read()
low, high = 24, len(whole) // 2 + 2000
while low < high: # the shortest that is a recording
    middle = (low + high) // 2
    open(sys.argv[2], 'wb').write(whole[:middle])
    if subprocess.run([sys.argv[1], 'info', sys.argv[2]], capture_output=True).returncode: low = middle + 1
    else: high = middle
open(sys.argv[2], 'wb').write(whole[:low])
PY
ends 0 $PS info --json "$T/zero.psr"
holds "$T/out" "d['recording']['events'] == 0 and d['recording']['state'] == 'open'"
ends 0 $PS report --json "$T/zero.psr"
holds "$T/out" "d['loops'] == [] and d['window_ns'] == 0"
ends 0 $PS report "$T/zero.psr"
ends 0 $PS replay -n 1 "$T/zero.psr"
for format in $formats; do ends 0 $PS export "$T/zero.psr" --to "$format" -o "$T/zero.$format"; done
ends 3 $PS check "$T/zero.psr" --budget "$T/lax.yml"
ends 3 $PS check tests/data/psr/v1.1.psr --budget "$T/new.yml" --baseline "$T/zero.psr"
ends 3 $PS check --init "$T/zero.psr"
[ ! -s "$T/out" ] && grep -q 'no event loop' "$T/err" || fail "--init of nothing: $(cat "$T/out" "$T/err")"
ends 0 $PS diff "$T/zero.psr" -- tests/data/psr/v1.1.psr
grep -q 'doubtful.*no event loop' "$T/out" || fail "diff with nothing: $(cat "$T/out")"
ends 0 $PS merge "$T/zero.psr" "$T/zero.psr" -o "$T/zeros.psr"

# format versions beside each other
ends 0 $PS merge tests/data/psr/v1.0.psr "$T/zero.psr" tests/data/psr/v1.1.psr -o "$T/mixed.psr"
ends 0 $PS info --json "$T/mixed.psr"
holds "$T/out" "d['recording']['state'] == 'whole' and d['recording']['events'] > 3000"
ends 0 $PS diff tests/data/psr/v1.0.psr -- tests/data/psr/v1.1.psr
ends 0 $PS check tests/data/psr/v1.1.psr --budget "$T/new.yml" --baseline tests/data/psr/v1.0.psr

# zeros without end, as a file system leaves them after a crash: behind a whole recording, and in the middle of one
cp tests/data/recordings/node.psr "$T/huge.psr"
head -c 40000 "$T/huge.psr" >"$T/cut.psr"
truncate -s 4G "$T/huge.psr" && truncate -s 256M "$T/cut.psr" || skip "no room for sparse files"
for file in huge cut; do
	ends 0 $PS info --json "$T/$file.psr"
	holds "$T/out" "d['recording']['state'] in ('damaged', 'torn') and d['recording']['events'] > 3000"
	ends 0 $PS report --json "$T/$file.psr"
	ends 0 $PS replay -n 1 "$T/$file.psr"
	ends 0 $PS export "$T/$file.psr" --to perfetto -o "$T/$file.perfetto"
done
ends 3 $PS check "$T/cut.psr" --budget "$T/lax.yml"
grep -q 'events were lost' "$T/out" || fail "a cut recording: $(cat "$T/out")"
