#!/usr/bin/env bash
# A launched program that is done before /proc could be asked about it is seen
# whole: the probes know its number before it runs, and what they saw of it is
# taken when it has ended. Nothing here depends on how fast anybody is.
# limit: 60
. tests/lib.sh
need_root
brief=$B/tests/programs/brief

whole() { # FILE
	holds "$1" "len(d['loops']) == 1 and d['loops'][0]['polls'] == 5 and d['lost']['total'] == 0"
	holds "$1" "d['target']['comm'] == 'brief' and d['target']['pid'] == d['loops'][0]['pid'] and d['target']['exited'] and d['target']['exit_status'] == 0"
}

# with and without a while before its first wait, in which a look finds no loop yet
for before in 0 5 15 30; do
	$PS stat --json -- "$brief" 5 1 $before >"$T/out" 2>"$T/err" || fail "stat, $before ms before its loop: exit $?: $(cat "$T/err")"
	whole "$T/out"
done

# what it is called is read while it is there, before it has a loop
$PS stat --json -- "$brief" 5 1 2000 >"$T/out" 2>"$T/err" || fail "stat, 2 s before its loop: exit $?: $(cat "$T/err")"
whole "$T/out"
holds "$T/out" "d['target']['cmdline'].endswith('brief 5 1 2000')"

$PS record -q -o "$T/a.psr" -- "$brief" 5 1 15 2>"$T/err" || fail "record: exit $?: $(cat "$T/err")"
$PS report "$T/a.psr" --json >"$T/out" || fail "report: exit $?"
whole "$T/out"

# one that runs no loop is not made to have one
$PS stat -- sleep 0.01 >"$T/out" 2>"$T/err"; rc=$?
[ $rc = 5 ] || fail "a command without a loop: exit $rc: $(cat "$T/err")"

# an instrumented program tells its polls itself: what the probes saw before its recorder was found is not told twice
$PS stat --json -- $PS demo -q healthy -d 1s >"$T/out" 2>"$T/err" || fail "stat -- demo: exit $?: $(cat "$T/err")"
holds "$T/out" "len(d['loops']) > 0 and all(0 < l['polls'] <= l['iterations'] + 1 for l in d['loops'] if l['iterations'])"
