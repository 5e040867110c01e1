#!/usr/bin/env bash
# Fourteen ways to block a node loop, in the main thread and in a worker, in
# Debian's own node and in one with V8 14: each is told with its cause, its rule and
# the user's own function, file and line (Debian's: or the line where the function begins).
# limit: 120
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
# before everything else on this machine: a stall that waits for a CPU has another cause
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)

mkfifo "$T/fifo"
(while exec 3>"$T/fifo"; do sleep 0.2; exec 3>&-; sleep 0.05; done) & pids+=($!)

# function, cause, rule, what it called; the line is where the program says "sin: function"
cat >"$T/expected" <<'EOF'
parseRows cpu json JSON.parse
printRows cpu json JSON.stringify
matchName cpu regex RegExp.test
hashSecret cpu crypto pbkdf2Sync
readCached cpu sync-call readFileSync
readSlowly sync-io sync-call read
addUp cpu computation -
collectAll gc gc garbage
pack cpu compression zlibBufferSync
shellOut sync-io sync-call execSync
sortAll cpu computation Array.sort
loadAll cpu module-load require
chainTicks cpu tick-starvation next
waitForever lock sync-call futex
EOF
cat >"$T/judge.py" <<'EOF'
import json, re, sys
lines = {m[1]: n for n, text in enumerate(open('tests/data/sins.js'), 1) if (m := re.search(r'// sin: (\w+)', text))}
starts = {m[1]: n for n, text in enumerate(open('tests/data/sins.js'), 1) if (m := re.match(r'function (\w+)', text))}
by_function = len(sys.argv) > 3
stalls = [s for loop in json.load(open(sys.argv[1]))['loops'] for s in loop['stalls'] if s['duration_ns'] > 150e6]
bad = 0
for function, cause, rule, called in (row.split() for row in open(sys.argv[2])):
    called = '' if called == '-' else re.escape(called) + r'.* <- '
    if by_function and called: # the builtins of a stripped binary have no names
        called = '(.* <- )?'
    line = f'({lines[function]}|{starts[function]})' if by_function else lines[function]
    place = rf'{called}{function} sins\.js:{line}$'
    if by_function and rule == 'tick-starvation' or by_function and function == 'collectAll':
        continue
    found = [s for s in stalls if re.search(rf'(^| ){function} ', s['culprit'])]
    # while the machine is busy with others, a few are rightly said to wait for a CPU
    right = [s for s in found if s['cause'] == cause and s['rule'] == rule and re.match(place, s['culprit'])]
    if not right or any(s['cause'] == cause and s not in right for s in found):
        bad += 1
        print(f'{function}: wanted {cause} {rule} "{place}", got', [(s['cause'], s['rule'], s['culprit']) for s in found])
if bad:
    print('all:', *[(s['cause'], s['rule'], s['culprit']) for s in stalls], sep='\n  ')
sys.exit(bad > 0)
EOF

# commit_sins NODE WHERE [by-function]
commit_sins() {
	local program=$1 where=$2 pid; shift 2
	"${first[@]}" "$program" tests/data/sins.js "$T" "$where" >"$T/ready" 2>"$T/node.err" & pids+=($!)
	pid=$!
	until_ok 10 grep -q ready "$T/ready" || fail "$program did not start: $(head -c 2000 "$T/node.err")"
	$PS stat -d 9s --json "$pid" >"$T/sins.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	kill -0 "$pid" || fail "the target died: $(head -c 2000 "$T/node.err")"
	kill "$pid"
	: >"$T/ready"
	python3 "$T/judge.py" "$T/sins.json" "$T/expected" "$@" || fail "$program, $where thread"
}
is_old() { "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 0 : 1)'; }

debian=$B/peers/usr/bin/node-debian
if is_old "$node"; then
	debian=$node
else
	commit_sins "$node" main
	commit_sins "$node" worker
fi
[ ! -x "$debian" ] || commit_sins "$debian" main by-function
[ ! -x "$B/peers/usr/bin/node-new" ] || commit_sins "$B/peers/usr/bin/node-new" main

# a call that blocks in the kernel has the path that was given to it, though its memory is long used for something else
mkfifo "$T/slow file"
"$node" -e 'console.log("ready"); setInterval(() => {}, 50);
setTimeout(function readNamed() { require("fs").readFileSync(process.argv[1]); }, 1000)' "$T/slow file" >"$T/ready" & pids+=($!)
pid=$!
until_ok 10 test -s "$T/ready" || fail "node did not start"
(sleep 1.5; echo >"$T/slow file") & pids+=($!)
$PS stat -d 2s --json "$pid" >"$T/path.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
holds "$T/path.json" "any(s['culprit'] == 'openat $T/slow file <- readNamed [eval]:2' and s['rule'] == 'sync-call'
	for s in d['loops'][0]['stalls'])"
