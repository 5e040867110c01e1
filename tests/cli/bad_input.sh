#!/usr/bin/env bash
# Whatever is wrong with what we are given: one sentence on stderr that says
# what to do, nothing on stdout, and the documented exit code.
# limit: 60
. tests/lib.sh

# refused CODE WORDS COMMAND…: ends with CODE, says one sentence that holds WORDS, prints no data
refused() {
	local code=$1 words=$2 rc; shift 2
	timeout 20 "$@" >"$T/out" 2>"$T/err" </dev/null; rc=$?
	[ "$rc" = "$code" ] || fail "$*: exit $rc and not $code: $(cat "$T/err")"
	[ ! -s "$T/out" ] || fail "$*: data on stdout: $(head -c 300 "$T/out")"
	[ "$(wc -l <"$T/err")" = 1 ] || fail "$*: not one sentence: $(cat "$T/err")"
	grep -q '^pollscope: ' "$T/err" && grep -qi -- "$words" "$T/err" || fail "$*: says: $(cat "$T/err")"
}

# usage
refused 2 'no option --frobnicate' $PS stat --frobnicate 1
refused 2 'did you mean --stall' $PS stat --stal1 50ms 1
refused 2 'no option -z' $PS stat -z 1
refused 2 'duration' $PS stat --stall 50 1
refused 2 'duration' $PS stat -d 0s 1
refused 2 'wants' $PS stat --stall
refused 2 'takes no value' $PS stat --json=yes 1
refused 2 'pollscope ls' $PS stat
refused 2 'too much' $PS report a.psr b.psr
refused 2 'must follow' $PS stat --
refused 2 'launches no command' $PS report -- true
refused 2 'one of poll' $PS stat --without everything 1
refused 2 'descriptor' $PS stat --ready-fd 77 1
refused 2 'want.*-o' $PS record 1
refused 2 'budget' $PS check a.psr
refused 2 'known format' $PS export a.psr --to docx
refused 2 'want.*--to' $PS export a.psr
refused 2 'no scenario' $PS demo computatino
refused 2 'no command' $PS help stats
refused 2 'did you mean record' $PS recrod 1 -d 1s
refused 2 'too much' $PS 1 2

# targets
refused 5 'no process' $PS stat 999999999999
dead=$(bash -c 'echo $$')
refused 5 "$dead" $PS stat "$dead"
$PS doctor "$dead" >/dev/null; [ $? = 5 ] || fail "doctor of a process that is not there does not end with 5"
refused 5 'no process is called' $PS stat no-such-program-at-all
sleep 60 & pids+=($!)
refused 5 'loop' $PS stat -d 1s $!
if [ -r /proc/2/stat ] && [ ! -s /proc/2/cmdline ] && grep -q kthreadd /proc/2/comm; then
	refused 5 'kernel' $PS stat 2
fi
refused 5 'cannot start' $PS stat -- /no/such/program
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	python3 -c 'import select; select.epoll().poll()' & pids+=($!)
	until_ok 10 grep -q epoll /proc/$!/wchan /proc/$!/fdinfo/3 || true
	cp "$PS" "$T/ps" && chmod 755 "$T" "$T/ps"
	refused 4 'sudo\|root' setpriv --reuid=65534 --regid=65534 --clear-groups "$T/ps" stat -d 1s $!
fi

# recordings
refused 2 'No such file' $PS report "$T/none.psr"
echo 'not a recording, but long enough to be looked at in earnest' >"$T/foreign.psr"
: >"$T/empty.psr"
for command in report replay 'export --to perfetto'; do
	refused 2 'not a pollscope recording' $PS $command "$T/foreign.psr"
	refused 2 'read' $PS $command "$T/empty.psr"
	refused 2 'directory' $PS $command "$T"
done
if [ "$(id -u)" != 0 ]; then
	touch "$T/secret.psr"; chmod 0 "$T/secret.psr"
	refused 2 'Permission denied' $PS report "$T/secret.psr"
fi

# budgets
$PS demo -q -d 1s --json -o "$T/a.psr" >"$T/a.json" 2>"$T/err" || fail "demo: exit $?: $(cat "$T/err")"
printf 'schema: 1\nbudgets:\n  - metrik: stall.count\n    max: 0\n' >"$T/key.yml"
refused 2 'metrik.*metric\|3' $PS check "$T/a.psr" --budget "$T/key.yml"
printf 'schema: 1\nbudgets:\n  - metric: stall.cuont\n    max: 0\n' >"$T/metric.yml"
refused 2 'stall.count' $PS check "$T/a.psr" --budget "$T/metric.yml"
refused 2 'No such file' $PS check "$T/a.psr" --budget "$T/none.yml"
echo '{"schema_version": 1, ' >"$T/cut.json"
printf 'schema: 1\nbudgets:\n  - metric: stall.count\n    max: 1000\n' >"$T/good.yml"
refused 2 'line' $PS check "$T/cut.json" --budget "$T/good.yml"
refused 2 'not a pollscope recording' $PS check "$T/foreign.psr" --budget "$T/good.yml"
$PS check "$T/a.psr" "$T/a.json" --budget "$T/good.yml" >"$T/out" || fail "check of a recording and a summary: exit $?: $(cat "$T/out")"

# a recording that is cut is reported as far as it goes, and says so
size=$(stat -c %s "$T/a.psr")
head -c $((size * 3 / 4)) "$T/a.psr" >"$T/cut.psr"
$PS report --json "$T/cut.psr" >"$T/out" 2>"$T/err" || fail "report of a cut recording: exit $?: $(cat "$T/err")"
grep -q 'cut.psr' "$T/err" || fail "nothing is said about the cut: $(cat "$T/err")"
holds "$T/out" "d['schema_version'] == 1"
