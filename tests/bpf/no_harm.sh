#!/usr/bin/env bash
# Targets of every unfriendly kind are watched, or not, in bounded time, and none
# is harmed: under strict seccomp, stopped, with its binary replaced, in other mount
# and pid namespaces, changing its program, forking all the time, ending in the middle
# of an attach (ROUNDS times), and giving its number to another process. Nothing is left.
# limit: 180
. tests/lib.sh
need_root
bpftool=$(program bpftool) || skip "bpftool is not installed"
ticker=$B/tests/programs/ticker
# of the programs that the tool held, those that are still there
left() { comm -12 "$T/held" <("$bpftool" prog show 2>/dev/null | sed -nE 's/^([0-9]+): .*/\1/p' | sort -u); }
none_left() { [ -z "$(left)" ]; }
lives() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status"; }

"$B/tests/programs/strict" >"$T/dots" & pids+=($!)
strict=$!
until_ok 5 test -s "$T/dots" || fail "strict does not run"
$PS stat -d 2s --json "$strict" >"$T/strict.json" 2>"$T/err" || fail "strict: exit $?: $(cat "$T/err")"
lives "$strict" || fail "the target under seccomp was killed"
holds "$T/strict.json" "d['loops'][0]['polls'] > 50 and d['loops'][0]['poller']['items'] == 1"
kill "$strict"

"$ticker" epoll >/dev/null & pids+=($!)
stopped=$!
sleep 0.2
kill -STOP "$stopped"
timeout 20 $PS stat -d 1s --json "$stopped" >"$T/stopped.json" 2>"$T/err" || fail "stopped: exit $?: $(cat "$T/err")"
grep -q '^State:.*T' "/proc/$stopped/status" || fail "the stopped target is not stopped any more"
timeout 20 $PS inspect "$stopped" >"$T/inspect" 2>"$T/err" || fail "inspect of a stopped one: exit $?: $(cat "$T/err")"
kill -CONT "$stopped"
$PS stat -d 1s --json "$stopped" >"$T/stopped.json" 2>"$T/err" || fail "continued: exit $?: $(cat "$T/err")"
holds "$T/stopped.json" "d['loops'][0]['polls'] > 10"
kill "$stopped"

cp "$ticker" "$T/replaced" && "$T/replaced" epoll >/dev/null & pids+=($!)
sleep 0.3
replaced=$(pgrep -f "^$T/replaced") && pids+=("$replaced")
rm "$T/replaced" && head -c 100000 /dev/urandom >"$T/replaced"
$PS stat -d 1s --json "$replaced" >"$T/replaced.json" 2>"$T/err" || fail "replaced: exit $?: $(cat "$T/err")"
holds "$T/replaced.json" "d['loops'][0]['polls'] > 10"
kill "$replaced"

unshare -mpf --mount-proc "$ticker" epoll >/dev/null & pids+=($!)
away() { pgrep -P "${pids[-1]}" >"$T/away"; }
until_ok 5 away || fail "no namespaces"
away=$(head -1 "$T/away"); pids+=("$away")
$PS stat -d 1s --json "$away" >"$T/away.json" 2>"$T/err" || fail "namespaces: exit $?: $(cat "$T/err")"
holds "$T/away.json" "d['loops'][0]['pid'] == $away and d['loops'][0]['polls'] > 10 and d['loops'][0]['poller']['items'] == 1"
kill "$away"

python3 -c "
import os, select, sys, time
poller = select.epoll(); r, w = os.pipe(); os.set_inheritable(poller.fileno(), False); poller.register(r)
end = time.time() + 1.2
while time.time() < end: poller.poll(0.02)
os.execv(sys.argv[1], [sys.argv[1], 'epoll'])" "$ticker" >"$T/exec.out" & pids+=($!)
changed=$!
sleep 0.5
$PS stat -d 3s --json "$changed" >"$T/exec.json" 2>"$T/err" || fail "exec: exit $?: $(cat "$T/err")"
lives "$changed" && [ -s "$T/exec.out" ] || fail "the target that changed its program does not run"
holds "$T/exec.json" "sum(l['polls'] for l in d['loops']) > 60 and d['lost']['total'] == 0"
kill "$changed"

# one that forks all the time, before, in and behind the attach; its children wait in pollers of their own, and end
python3 -c "
import os, select, time
poller = select.epoll(); r, w = os.pipe(); poller.register(r)
print('runs', flush=True)
while True:
    poller.poll(0.01)
    if os.fork() == 0:
        own = select.epoll(); own.register(r); own.poll(0.02)
        os._exit(0)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0: break
        except ChildProcessError: break" >"$T/forks" & pids+=($!)
forks=$!
until_ok 5 test -s "$T/forks" || fail "forks does not run"
timeout 30 $PS stat -d 2s --json --follow "$forks" >"$T/forks.json" 2>"$T/err" || fail "forks: exit $?: $(cat "$T/err")"
lives "$forks" || fail "the target that forks died"
holds "$T/forks.json" "any(l['pid'] == $forks and l['polls'] > 20 for l in d['loops'])"
kill "$forks"

# a child ends while its family is watched, and its number goes to a stranger, whose polls are nobody's business
cat >"$T/parent.py" <<'PY'
import select, subprocess, sys
child = subprocess.Popen([sys.argv[1], 'epoll'], stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
poller = select.epoll()
while True:
    poller.poll(0.05)
    child.poll()
PY
python3 "$T/parent.py" "$ticker" >"$T/child" & pids+=($!)
parent=$!
until_ok 5 test -s "$T/child" || fail "no child"
child=$(cat "$T/child"); pids+=("$child")
sleep 0.2
mkfifo "$T/ready"
$PS stat -d 5s --json --follow --ready-fd 3 "$parent" >"$T/reuse.json" 2>"$T/err" 3>"$T/ready" & stat=$!
head -c 1 "$T/ready" >/dev/null
sleep 0.8
kill -9 "$child"
killed=$(python3 -c 'import time; print(time.monotonic_ns())')
sleep 1.5 # what has ended is noticed once a second
stranger=0
for _ in $(seq 50); do
	echo $((child - 1)) >/proc/sys/kernel/ns_last_pid 2>/dev/null || break
	"$ticker" epoll >/dev/null & stranger=$!
	pids+=("$stranger")
	[ "$stranger" = "$child" ] && break
	kill "$stranger"
done
[ "$stranger" = "$child" ] || echo "the number could not be had again: not tried"
wait "$stat" || fail "reuse: exit $?: $(cat "$T/err")"
# it rests 20 ms between two: no more than fit into its own life
holds "$T/reuse.json" "all(5 < l['polls'] <= ($killed - l['window']['first_ns']) / 20e6 + 2 for l in d['loops'] if l['pid'] == $child) and any(l['pid'] == $child for l in d['loops'])"
kill "$parent"

for round in $(seq "${ROUNDS:-8}"); do
	"$ticker" epoll >/dev/null & target=$!
	pids+=("$target")
	sleep "0.0$((RANDOM % 10))"
	timeout 20 $PS stat -d 5s --json "$target" >"$T/round.json" 2>"$T/round.err" & tool=$!
	sleep "0.$(printf '%03d' $((RANDOM % 400)))"
	sed -nE 's/^prog_id:\s*([0-9]+)$/\1/p' /proc/"$(pgrep -P "$tool")"/fdinfo/* 2>/dev/null | sort -u >"$T/held"
	kill -9 "$target"; wait "$target" 2>/dev/null
	wait "$tool"; rc=$?
	case $rc in 0 | 5) ;; *) fail "round $round: exit $rc: $(cat "$T/round.err")" ;; esac
	until_ok 5 none_left || fail "round $round: programs were left: $(left)"
done
exit 0
