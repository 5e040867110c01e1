#!/usr/bin/env bash
# The worked example of examples/ci: its build fails when a synchronous call is
# added, names it by file and line, and passes when it is removed. CI_ROUNDS=20
# for twenty times each.
# limit: 150
. tests/lib.sh
need_root
program node >/dev/null && program npm >/dev/null || skip "node and npm are not installed"
"$(program node)" -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || skip "this node is older than 20"
rounds=${CI_ROUNDS:-1}
export POLLSCOPE=$PWD/$PS
cp -r examples/ci "$T/good"
cp -r examples/ci "$T/bad"
(cd "$T/bad" && patch -s -p1 <sync.patch) || fail "sync.patch does not fit"
line=$(grep -n readFileSync "$T/bad/server.js" | cut -d: -f1)

mkdir "$T/baseline"
(cd "$T/good" && RUN="$T/baseline/1.psr" ./check.sh) >"$T/out" 2>&1; rc=$?
[ $rc = 1 ] && fail "the example fails without its baseline: $(cat "$T/out")"
for round in $(seq 1 "$rounds"); do
	"$T/bad/check.sh" "$T/baseline" >"$T/out" 2>&1; rc=$?
	[ $rc = 1 ] || fail "round $round: with the synchronous call: exit $rc: $(cat "$T/out")"
	grep -q "FAIL .*new.sync_calls .*readFileSync <- report server.js:$line" "$T/out" || fail "round $round: the comparison: $(cat "$T/out")"
	grep -q "at $T/bad/server.js:$line" "$T/out" || fail "round $round: file and line: $(cat "$T/out")"
	grep -q '<failure' "$T/bad/junit.xml" || fail "round $round: JUnit has no failure"
	"$T/good/check.sh" "$T/baseline" >"$T/out" 2>&1; rc=$?
	[ $rc = 0 ] || fail "round $round: without the synchronous call: exit $rc: $(cat "$T/out")"
done
GITHUB_ACTIONS=true GITHUB_WORKSPACE=$T/bad $PS check "$T/bad/run.psr" --budget examples/ci/budget.yml --baseline "$T/baseline" >"$T/out"; rc=$?
[ $rc = 1 ] || fail "check again: exit $rc"
grep -q "^::error file=server.js,line=$line,title=pollscope " "$T/out" || fail "no annotation: $(cat "$T/out")"
