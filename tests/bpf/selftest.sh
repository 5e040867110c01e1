#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The selftest on real runs of node: one more stall in runs that have stalls of
# their own is found, and named by file and line; runs that are the same are not
# failed for it. SELFTEST_RUNS=40 for the counts of the manual, with the 10 % of
# CPU and the synchronous call too; by default 8 runs and 4 of the fault.
# limit: 100
. tests/lib.sh
need_root
program node >/dev/null || skip "node is not installed"
runs=${SELFTEST_RUNS:-8}
program=$PWD/tests/data/steady.js
line=$(grep -n 'sin: oneMore' "$program" | cut -d: -f1)
printf 'schema: 1\nregressions:\n  - metric: new.stalls\n' >"$T/stalls.yml"
# both NAME BUDGET ENVIRONMENT FAULT [STALL]: selftest of the program without and with the fault
both() {
	$PS selftest -n "$runs" --stall "${5:-50ms}" --budget "$2" --without runtime --without snapshot --without ready --without poller --json \
		--ab "$3 node $program" --worse "$3 $4 node $program" >"$T/$1.json" 2>"$T/err" || fail "$1: exit $?: $(cat "$T/err")"
	python3 - "$T/$1.json" "$1" <<-'PY'
		import json, sys
		test = json.load(open(sys.argv[1]))["selftest"]
		for m, w in zip(test["metrics"], test["worse"]["metrics"]):
		    print(f'{sys.argv[2]}: {m["metric"]}: {m["false_alarms"]} false alarms of {test["verdicts"]}, found in {w["found"]};',
		          [(n["name"], n["line"], n["verdicts"]) for n in w["named"]], [(n["name"], n["verdicts"]) for n in m["named"]],
		          "open:", [(n["name"], n["verdicts"]) for n in m["doubts"] + w["doubts"]])
	PY
}
both stall "$T/stalls.yml" "TURNS=150 WORK=20 NOISE=1" ONE=1
holds "$T/stall.json" "d['selftest']['worse']['runs'] == $runs // 2 and d['selftest']['verdicts'] == 200"
holds "$T/stall.json" "sum(n['verdicts'] for n in d['selftest']['worse']['metrics'][0]['named'] if n['line'] == $line and n['file'].endswith('steady.js')) >= 190"
# of the noise of few runs one may be new by chance; of many, none
holds "$T/stall.json" "d['selftest']['false_alarms'] <= (4 if $runs >= 40 else 100)"
[ "$runs" -ge 40 ] || exit 0

head -c 48M /dev/zero >"$T/settings"
printf 'schema: 1\nregressions:\n  - metric: new.sync_calls\n  - metric: new.rules\n  - metric: cpu.per_iteration\n' >"$T/all.yml"
both cpu "$T/all.yml" "" WORK=110
holds "$T/cpu.json" "d['selftest']['false_alarms'] <= 4 and d['selftest']['worse']['metrics'][2]['found'] >= 190"
both sync "$T/all.yml" "" "SYNC=$T/settings" 10ms # a read of 48 MiB takes longer than that
holds "$T/sync.json" "d['selftest']['false_alarms'] <= 4 and d['selftest']['worse']['metrics'][0]['found'] >= 190"
holds "$T/sync.json" "any('readSettings' in n['name'] and n['line'] for n in d['selftest']['worse']['metrics'][0]['named'])"
