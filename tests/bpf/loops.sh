#!/usr/bin/env bash
# Every loop of a node process with two worker threads, and of a cluster of three,
# has a row of its own, with the utilization that the loop tells of itself. A
# child that comes while we watch is taken in, one that goes is told.
# limit: 120
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"

check() { # NAME LOOPS
	python3 - "$T/$1.json" "$T/$1.out" "$2" <<'PY' || { cat "$T/err"; fail "$1: not as the loops tell"; }
import json, sys
d = json.load(open(sys.argv[1]))
rows = {}
for line in open(sys.argv[2]):
    f = line.split()
    if len(f) == 5 and line.endswith('\n'):
        rows.setdefault((int(f[0]), int(f[1])), []).append((int(f[2]), float(f[3]), float(f[4])))
moved = [l for l in d['loops'] if l['polls'] > 20 and l['utilization'] > 0.02]
print(len(moved), [(l['pid'], l['tid'], l['comm'], round(l['utilization'], 3)) for l in moved])
assert len(rows) == int(sys.argv[3]) == len(moved), (len(rows), len(moved))
assert len({(l['pid'], l['tid']) for l in moved}) == len(moved)
left = list(moved)
for who, told in sorted(rows.items(), key=lambda r: r[0]):
    # the loop whose window this was: of the process, and nearest in what it tells
    best = None
    for l in left:
        if l['pid'] != who[0]:
            continue
        t0, t1 = l['window']['first_ns'], l['window']['last_ns']
        inside = [r for r in told if t0 <= r[0] <= t1]
        active, idle = (inside[-1][k] - inside[0][k] for k in (1, 2))
        own = active / (active + idle)
        if best is None or abs(own - l['utilization']) < abs(best[1] - best[0]['utilization']):
            best = (l, own)
    l, own = best
    left.remove(l)
    print(who, 'own', round(own, 4), 'seen', round(l['utilization'], 4))
    # 5 %, and what the ends of the window make: a tick of 40 ms may lie on either side
    assert abs(l['utilization'] - own) <= 0.05 * own + 0.012, (own, l['utilization'])
PY
}

"$node" tests/data/loops.js threads >"$T/threads.out" 2>"$T/node.err" & pids+=("$!")
pid=$!
speak() { [ "$(awk '{ print $1, $2 }' "$T/$1.out" | sort -u | wc -l)" = "$2" ]; }
until_ok 10 speak threads 3 || fail "node: $(cat "$T/node.err")"
$PS stat -d 3s --json "$pid" >"$T/threads.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
check threads 3
kill "$pid"

"$node" tests/data/loops.js cluster >"$T/cluster.out" 2>"$T/node.err" & pids+=("$!")
pid=$!
until_ok 10 speak cluster 4 || fail "node: $(cat "$T/node.err")"
mapfile -t children < <(pgrep -P "$pid")
pids+=("${children[@]}")
$PS stat -d 3s --json --follow "$pid" >"$T/cluster.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
check cluster 4

# one of them ends while we watch, and the others are watched on
mkfifo "$T/ready"
$PS record -d 3s -o "$T/f.psr" --follow --ready-fd 3 "$pid" 2>"$T/err" 3>"$T/ready" & record=$!; pids+=("$record")
head -c 1 "$T/ready" >/dev/null
sleep 1
kill -9 "${children[0]}"
wait "$record" || fail "record: exit $?: $(cat "$T/err")"
$PS export "$T/f.psr" --to json -o "$T/f.json" || fail "export: exit $?"
grep -q "process_exit.*${children[0]}\|${children[0]}.*process_exit" "$T/f.json" || fail "the end of ${children[0]} was not told: $(grep -c . "$T/f.json")"
$PS report --json "$T/f.psr" >"$T/f.sum" || fail "report: exit $?"
holds "$T/f.sum" "len({l['pid'] for l in d['loops'] if l['polls'] > 20}) == 4 and d['lost']['total'] == 0"
kill -0 "$pid" || fail "the target died"
