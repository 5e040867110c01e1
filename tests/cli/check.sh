#!/usr/bin/env bash
# check, diff and selftest from the command line: first budgets, baselines of
# all kinds, every output, and what is wrong with any of them.
# limit: 60
. tests/lib.sh

for i in 1 2; do $PS demo -q -d 1s --json -o "$T/$i.psr" >"$T/$i.json" 2>"$T/err" || fail "demo: $(cat "$T/err")"; done
$PS demo -q computation -d 3s --stall 30ms --json -o "$T/bad.psr" >/dev/null 2>"$T/err" || fail "demo: $(cat "$T/err")"

# the first budget is accepted and not broken by the recording that it was made from
$PS check --init "$T/1.psr" -o "$T/first.yml" || fail "--init: exit $?"
$PS check "$T/1.psr" --budget "$T/first.yml" --baseline "$T/1.psr" >"$T/out"; rc=$?
[ $rc != 1 ] && [ $rc != 2 ] || fail "the first budget: exit $rc: $(cat "$T/out")"
$PS check --init "$T/1.psr" -o "$T/first.yml" 2>"$T/err"; [ $? = 7 ] || fail "--init over a file that is there"

printf 'schema: 1\nbudgets:\n  - metric: stall.count\n    max: 0\n' >"$T/stalls.yml"
printf 'schema: 1\nregressions:\n  - metric: new.stalls\n  - metric: iteration.mean\n' >"$T/new.yml"
$PS check "$T/bad.psr" --budget "$T/stalls.yml" --json --junit "$T/j.xml" --markdown "$T/m.md" --benchmark "$T/b.json" --github >"$T/out" 2>"$T/err"
[ $? = 1 ] || fail "a broken budget: $(cat "$T/out" "$T/err")"
holds "$T/out" "d['check']['verdict'] == 'fail' and 'scenario_computation' in d['check']['results'][0]['reason']"
grep -q '^::error .*title=pollscope stall.count::' "$T/err" || fail "annotations beside JSON: $(cat "$T/err")"
grep -q '<failure' "$T/j.xml" && grep -q ':x:' "$T/m.md" || fail "JUnit or Markdown"
python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))[0]["name"] == "stall.count"' "$T/b.json" || fail "benchmark-action"
echo before >"$T/step.md"
GITHUB_ACTIONS=true GITHUB_STEP_SUMMARY=$T/step.md $PS check "$T/bad.psr" --budget "$T/stalls.yml" --markdown "$T/step.md" >"$T/out"
[ "$(head -1 "$T/step.md")" = before ] && grep -q ':x:' "$T/step.md" || fail "the step's summary is not appended to"
grep -q '^::error ' "$T/out" || fail "no annotations in GitHub Actions"

# baselines: a file, a summary, a folder; few runs are no verdict
mkdir "$T/baseline" && cp "$T/1.psr" "$T/1.json" "$T/2.json" "$T/baseline/"
for baseline in "$T/1.psr" "$T/1.json" "$T/baseline"; do
	$PS check "$T/2.psr" --budget "$T/new.yml" --baseline "$baseline" >"$T/out" 2>"$T/err"; rc=$?
	[ $rc = 3 ] && grep -q 'too few runs' "$T/out" || fail "baseline $baseline: exit $rc: $(cat "$T/out" "$T/err")"
done
grep -q '1, and 2 in the baseline' "$T/out" || fail "a summary beside its recording counts twice: $(cat "$T/out")"
for how in fail:1 pass:0 report:0 exit:3; do
	$PS check "$T/2.psr" --budget "$T/new.yml" --inconclusive="${how%:*}" >/dev/null; rc=$?
	[ $rc = "${how#*:}" ] || fail "--inconclusive=$how: exit $rc"
done
sed 's/"kernel": "[^"]*"/"kernel": "2.6.32"/' "$T/1.json" >"$T/other.json"
$PS check "$T/2.psr" --budget "$T/new.yml" --baseline "$T/other.json" >"$T/out"; [ $? = 3 ] || fail "a baseline of another machine"
grep -q 'another kernel' "$T/out" || fail "another machine is not told: $(cat "$T/out")"
sed 's/"schema_version": 1,/"schema_version": 99,/' "$T/1.json" >"$T/newer.json"
$PS check "$T/2.psr" --budget "$T/new.yml" --baseline "$T/newer.json" 2>"$T/err"; [ $? = 2 ] && grep -q 'version 99' "$T/err" || fail "a newer summary: $(cat "$T/err")"
mkdir "$T/empty"
$PS check "$T/2.psr" --budget "$T/new.yml" --baseline "$T/empty" 2>"$T/err"; [ $? = 2 ] && grep -q 'holds no recording' "$T/err" || fail "an empty baseline: $(cat "$T/err")"

# what changed
$PS diff "$T/1.psr" -- "$T/bad.psr" --stall 30ms >/dev/null 2>"$T/err"; [ $? = 2 ] || fail "an option among the files"
$PS diff --stall 50ms "$T/1.psr" "$T/2.psr" -- "$T/bad.psr" >"$T/out" || fail "diff: exit $?"
grep -q '^new in B' "$T/out" && grep -q 'scenario_computation' "$T/out" || fail "diff does not name what is new: $(cat "$T/out")"
$PS diff "$T/1.psr" -- "$T/2.psr" --json >"$T/out" || fail "diff --json: exit $?"
holds "$T/out" "d['diff']['a_runs'] == 1 and any(c['metric'] == 'iteration.p50' for c in d['diff']['changed'])"
$PS diff "$T/1.psr" 2>"$T/err"; [ $? = 2 ] || fail "diff of one group"

# eight runs of the same
TMPDIR=$T $PS selftest -q -n 8 --no-bpf --stall 5s --json --ab "$PS demo -q -d 1s" >"$T/out" 2>"$T/err" || fail "selftest: exit $?: $(cat "$T/err")"
holds "$T/out" "d['selftest']['runs'] == 8 and d['selftest']['verdicts'] == 200 and d['selftest']['false_alarms'] == 0"
! compgen -G "$T/pollscope-selftest-*" >/dev/null || fail "selftest leaves its folder"
TMPDIR=$T $PS selftest -n 8 --ab false 2>"$T/err"; [ $? = 5 ] || fail "selftest of what has no loop: $(cat "$T/err")"

# full disks
if [ "$(id -u)" = 0 ] && mkdir "$T/full" && mount -t tmpfs -o size=16k tmpfs "$T/full" 2>/dev/null; then
	head -c 16k /dev/zero >"$T/full/ballast" 2>/dev/null
	for option in --junit --markdown --benchmark; do
		$PS check "$T/1.psr" --budget "$T/stalls.yml" $option "$T/full/out" >/dev/null 2>"$T/err"; rc=$?
		if [ $rc != 7 ] || ! grep -q 'No space left' "$T/err"; then umount "$T/full"; fail "$option on a full disk: exit $rc: $(cat "$T/err")"; fi
	done
	$PS check --init "$T/1.psr" -o "$T/full/out" 2>"$T/err"; rc=$?
	left=$(ls "$T/full"); umount "$T/full"
	[ $rc = 7 ] || fail "--init on a full disk: exit $rc"
	[ "$left" = ballast ] || fail "left on the full disk: $left"
fi
