#!/usr/bin/env bash
# A recording into a pipe: nobody reads it, it is read slowly, or the reader
# leaves. Ctrl-C always ends us, and what was read is a recording.
# limit: 60
. tests/lib.sh

$PS demo -q -d 40s >/dev/null 2>&1 & tool=$!; pids+=("$tool")
has_child() { server=$(pgrep -P "$tool") && grep -q demo-server "/proc/$server/comm"; }
until_ok 10 has_child || fail "no server"
mkfifo "$T/pipe" "$T/ready"
# reads a pipe of two pages: first nothing, then, when told to, everything
cat >"$T/reader.py" <<'PY'
import fcntl, os, sys, time
# O_NONBLOCK: not to wait for the writer, so that the pipe is small before it writes
pipe = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK) if sys.argv[1] != "-" else 0
try: fcntl.fcntl(pipe, 1031, 8192) # F_SETPIPE_SZ
except OSError: pass # more than that is in it already
open(sys.argv[3] if len(sys.argv) > 3 else "/dev/null", "w").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.02)
if len(sys.argv) < 4:
    while data := os.read(pipe, 1000):
        os.write(1, data)
        time.sleep(0.001)
PY
gone() { ! kill -0 "$recorder" 2>/dev/null; }

# nobody reads: Ctrl-C ends it all the same, with a sentence and exit 7
python3 "$T/reader.py" "$T/pipe" "$T/never" "$T/small" & pids+=($!)
until_ok 5 test -e "$T/small" || fail "no reader"
$PS record --no-bpf "$server" --ready-fd 3 -o "$T/pipe" 2>"$T/err" 3>"$T/ready" & recorder=$!; pids+=("$recorder")
head -c 1 "$T/ready" >/dev/null
sleep 2.5 # more than two pages is there by now
kill -INT "$recorder"
until_ok 8 gone || fail "a pipe that nobody reads keeps Ctrl-C away"
wait "$recorder"; rc=$?
[ $rc = 7 ] && grep -q stopped "$T/err" || fail "a pipe that nobody reads: exit $rc: $(cat "$T/err")"

# read late and slowly, through a shell's pipe: all of it arrives
$PS record --no-bpf "$server" -d 2s -o - 2>"$T/err" | { sleep 1; touch "$T/go"; python3 "$T/reader.py" - "$T/go"; } >"$T/slow.psr"
$PS info "$T/slow.psr" --json >"$T/info" 2>"$T/err" || fail "info: $(cat "$T/err")"
holds "$T/info" "d['recording']['state'] == 'whole' and d['recording']['events'] > 300"

# the reader leaves: no error, and we end at once
$PS record --no-bpf "$server" -o - 2>"$T/err" | head -c 3000 >/dev/null
[ "${PIPESTATUS[0]}" = 0 ] || fail "a reader that leaves: exit ${PIPESTATUS[0]}: $(cat "$T/err")"
