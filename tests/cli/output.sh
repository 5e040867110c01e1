#!/usr/bin/env bash
# Our output: never over an existing file, never through a link, private, data
# kept when the disk fills up, quiet when the reader leaves.
# limit: 60
. tests/lib.sh
demo() { $PS demo -q -d 1s "$@"; }

demo -o "$T/a.psr" --json >/dev/null || fail "demo: exit $?"
[ "$(stat -c %a "$T/a.psr")" = 600 ] || fail "mode $(stat -c %a "$T/a.psr")"

echo precious >"$T/old"
demo -o "$T/old" 2>"$T/err" >"$T/out"; rc=$?
[ $rc = 7 ] && grep -q -- --force "$T/err" && [ "$(cat "$T/old")" = precious ] || fail "existing file: exit $rc: $(cat "$T/err")"
[ ! -s "$T/out" ] || fail "it began all the same: $(cat "$T/out")"
ln -s "$T/target" "$T/link"
demo -o "$T/link" 2>"$T/err" >/dev/null; rc=$?
[ $rc = 7 ] && [ ! -e "$T/target" ] || fail "a dangling link was followed: exit $rc"
ln "$T/old" "$T/twin"
demo -o "$T/old" --force >/dev/null || fail "--force: exit $?"
[ "$(cat "$T/twin")" = precious ] || fail "--force wrote into the old file instead of replacing it"
$PS report "$T/old" >/dev/null || fail "the replaced file is no recording"
ls "$T"/old.* >/dev/null 2>&1 && fail "left behind: $(ls "$T"/old.*)"
$PS export "$T/a.psr" --to chrome -o "$T/old" 2>/dev/null; [ $? = 7 ] || fail "export over an existing file"
demo -o "$T/no/such/dir/a.psr" 2>"$T/err" >/dev/null; [ $? = 7 ] || fail "no such directory: $(cat "$T/err")"
demo nonsense -o "$T/never.psr" 2>/dev/null; [ -e "$T/never.psr" ] && fail "a run that failed left a file"

if [ "$(id -u)" = 0 ]; then
	SUDO_UID=65534 SUDO_GID=65534 $PS export "$T/a.psr" --to chrome -o "$T/theirs" && [ "$(stat -c %u:%a "$T/theirs")" = 65534:600 ] ||
		fail "under sudo the file is not the user's: $(stat -c %u:%a "$T/theirs")"
fi

# devices are written as they are
$PS report "$T/a.psr" >/dev/full 2>"$T/err"; [ $? = 7 ] || fail "stdout on a full disk: $(cat "$T/err")"
[ -c /dev/full ] || fail "/dev/full was replaced"
demo -o /dev/full 2>"$T/err" >/dev/null; [ $? = 7 ] && [ -c /dev/full ] || fail "a full device: $(cat "$T/err")"
$PS export "$T/a.psr" --to perfetto -o /dev/full 2>"$T/err"; [ $? = 7 ] || fail "export to a full device: $(cat "$T/err")"
$PS report "$T/a.psr" >&- 2>"$T/err"; [ $? = 7 ] || fail "stdout closed: $(cat "$T/err")"
$PS report "$T/a.psr" --json 2>&- >"$T/out" || fail "stderr closed: exit $?"
$PS report --json "$T/a.psr" <&- >"$T/out" || fail "stdin closed: exit $?"
holds "$T/out" "d['schema_version'] == 1"

# the reader leaves
{ demo -n 3 2>"$T/err"; echo $? >"$T/rc"; } | head -n 1 >/dev/null
[ "$(cat "$T/rc")" != 7 ] && [ ! -s "$T/err" ] || fail "broken pipe: exit $(cat "$T/rc"): $(cat "$T/err")"

{ $PS report --json "$T/a.psr" 2>"$T/err"; echo $? >"$T/rc"; } | true
[ "$(cat "$T/rc")" = 0 ] && [ ! -s "$T/err" ] || fail "broken pipe of a report: exit $(cat "$T/rc"): $(cat "$T/err")"

# no escape codes off a terminal, whatever the terminal could do
TERM=xterm-256color demo --color=always >"$T/out" || fail "demo: exit $?"
$PS report "$T/a.psr" >>"$T/out"; $PS ls >>"$T/out"; $PS doctor >>"$T/out"; $PS help >>"$T/out"
LC_ALL=C grep -q "$(printf '\033')" "$T/out" && fail "escape codes off a terminal"

# a disk that fills up: the recording ends, stays readable, the exit code says so
if [ "$(id -u)" = 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=64k tmpfs "$T/small" 2>/dev/null; then
	$PS demo -q -d 20s -o "$T/small/a.psr" >"$T/out" 2>"$T/err"; rc=$?
	cp "$T/small/a.psr" "$T/full.psr"; umount "$T/small"
	[ $rc = 7 ] || fail "full disk: exit $rc: $(cat "$T/err")"
	grep -q 'No space left' "$T/err" || fail "full disk says: $(cat "$T/err")"
	$PS report --json "$T/full.psr" >"$T/out" 2>"$T/err" || fail "report of it: exit $?: $(cat "$T/err")"
	holds "$T/out" "d['schema_version'] == 1 and len(d['loops']) >= 1"
fi
