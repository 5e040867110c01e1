#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A thread that is busy when we come shows none of its pollers: the one that is guessed
# makes no second loop and no stall of its own when the thread comes back to another.
# limit: 30
. tests/lib.sh
need_root

cat >"$T/two.py" <<'EOP'
import os, select, sys, time
helper, loop = select.epoll(), select.epoll()
pipes = [os.pipe() for _ in range(3)]
for reader, _ in pipes:
    helper.register(reader, select.EPOLLIN)
loop.register(pipes[0][0], select.EPOLLIN)
print(helper.fileno(), loop.fileno(), flush=True)
end = time.monotonic() + 3
def under_way():
    while time.monotonic() < end:
        pass
under_way()
print('waits', flush=True)
while True:
    loop.poll(0.01)
EOP
python3 "$T/two.py" >"$T/told" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/told" || fail "the program did not start"
read -r helper poller <"$T/told"
# the guess: the poller with the most descriptors
$PS ls --json >"$T/ls.json"
json "$T/ls.json" "[l['poller_fd'] for l in d['loops'] if l['pid'] == $pid]" >"$T/guess"
grep -qx waits "$T/told" || [ "$(cat "$T/guess")" = "[$helper]" ] || fail "guessed $(cat "$T/guess"), not [$helper]"
grep -qx waits "$T/told" && skip "this machine took 3 s to look for loops"
$PS stat -d 5s --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
holds "$T/stat.json" "[l['poller_fd'] for l in d['loops']] == [$poller]"
holds "$T/stat.json" "[s['at_attach'] for s in d['loops'][0]['stalls']].index(True) == 0"
holds "$T/stat.json" "d['loops'][0]['stalls'][0]['cause'] in ('cpu', 'run-queue')"
holds "$T/stat.json" "d['loops'][0]['polls'] > 20"

# The main thread rests (as of a JVM) and another one, that runs the loop, does not come back: that one is told.
cat >"$T/stuck.py" <<'EOP'
import os, select, threading
def stuck():
    loop = select.epoll()
    loop.register(os.pipe()[0], select.EPOLLIN)
    loop.poll(0)
    print(threading.get_native_id(), flush=True)
    while True:
        pass
thread = threading.Thread(target=stuck)
thread.start()
thread.join()
EOP
python3 "$T/stuck.py" >"$T/tid" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/tid" || fail "the program did not start"
read -r tid <"$T/tid"
$PS stat -d 2s --json "$pid" >"$T/stuck.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
holds "$T/stuck.json" "[l['tid'] for l in d['loops']] == [$tid]"
holds "$T/stuck.json" "[s['open'] for s in d['loops'][0]['stalls']] == [True]"
holds "$T/stuck.json" "d['findings'][0]['id'] == 'PS004' and d['findings'][0]['tid'] == $tid"
