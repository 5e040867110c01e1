#!/usr/bin/env bash
# A node program that prints new Error().stack before it blocks: each frame that
# has a position has the same function, file, line and column seen from outside,
# in the interpreter, in baseline and in code of both optimising compilers, and with lazy
# compilation; in Debian's own node and in ones with V8 13 and 14, too.
# limit: 150
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
new=$B/peers/usr/bin/node-new middle=$B/peers/usr/bin/node-24

cat >"$T/judge.py" <<'EOF'
import itertools, json, sys
wanted = [tuple(f) for f in json.load(open(sys.argv[1])) if f[2]]
seen = cut = bad = 0
for loop in json.load(open(sys.argv[2]))['loops']:
    for stack in (k for s in loop['stalls'] for k in s['stacks']):
        frames = [(f['name'], f['file'], f['line'], f['column']) for f in stack['frames'] if f['kind'] == 'js']
        names = [f[0] for f in frames]
        if 'stop' not in names:
            continue
        got = frames[names.index('stop') + 1:]
        # in Debian's node native code without frame pointers calls for a copy of the stack, which is limited; it says so
        if stack['frames'][-1]['name'].endswith(' more frames]') and got == wanted[:len(got)]:
            cut += 1
            continue
        seen += 1
        if got != wanted and not bad:
            bad = 1
            for a, b in itertools.zip_longest(wanted, got):
                if a != b:
                    print('wanted', a, 'got', b)
print(f'{seen} stacks, {cut} more that are cut, {len(wanted)} frames each')
sys.exit(bad or seen < 1 or len(wanted) < 42)
EOF

# compare NODE MS FLAGS…: MS is how long to warm up
compare() {
	local program=$1 ms=$2 many=; shift 2
	[[ "$ms $*" != "0 "*--no-opt* ]] || many=many
	"$program" "$@" tests/data/chain.js "$ms" "$T/stack" $many >"$T/ready" 2>"$T/node.err" & pids+=($!)
	local pid=$!
	until_ok 10 grep -q ready "$T/ready" || fail "node did not start: $(head -c 2000 "$T/node.err")"
	$PS stat -d 3s --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	kill "$pid"
	python3 "$T/judge.py" "$T/stack" "$T/stat.json" || fail "$program $*, warmed up for $ms ms"
	rm -f "$T/stack" "$T/ready"
}

is_old() { "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 0 : 1)'; }

# Debian's own: stripped, V8 10; its optimized code has no positions that we can read
debian=$B/peers/usr/bin/node-debian
if is_old "$node"; then debian=$node; fi
[ ! -x "$debian" ] || compare "$debian" 0 --no-opt
[ "$node" != "$debian" ] || exit 0

while read -r ms flags; do
	# shellcheck disable=SC2086
	"$node" $flags -e 0 2>/dev/null || continue # V8 14 has no flag for "always"
	# shellcheck disable=SC2086
	compare "$node" "$ms" $flags
done <<'EOF'
0 --no-opt
0 --max-lazy
300 --always-sparkplug --no-opt
1500
500 --always-turbofan
EOF
if [ -x "$new" ]; then
	compare "$new" 0 --no-opt
	compare "$new" 1500
fi
# the middle compiler alone: V8 13 keeps no positions for it
for program in "$middle" "$new"; do
	[ ! -x "$program" ] || compare "$program" 1500 --turbo-filter=nothing
done

# code of the middle compiler that is not in a call: which functions it was inlined into is exact, where those called it, too
cat >"$T/inlined.js" <<'EOF'
function work(x) {
  let s = 0;
  for (let i = 0; i < 300; i++) {
    s += (x * i) & 7;
    s ^= i;
  }
  return s;
}
function outer(list) {
  let t = 0;
  for (const x of list)
    t += work(x);
  return t;
}
const list = Array.from({ length: 50 }, (_, i) => i);
function busy() {
  for (const end = Date.now() + 300; Date.now() < end;)
    outer(list);
}
busy();
console.log('ready');
setInterval(busy, 500);
EOF
watch_inlined() {
	"$1" --turbo-filter=nothing "$T/inlined.js" >"$T/ready" & pids+=($!)
	local pid=$!
	until_ok 10 grep -q ready "$T/ready" || fail "node did not start"
	$PS stat -d 2s --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	kill "$pid"
	python3 - "$T/stat.json" <<'EOF' || fail "$1: inlined functions"
import collections, json, sys
seen = collections.Counter()
for stack in (k for s in json.load(open(sys.argv[1]))['loops'][0]['stalls'] for k in s['stacks']):
    frames = [(f['name'], f['line'], f['column']) for f in stack['frames'] if f['kind'] == 'js']
    seen[tuple(frames[:2])] += stack['count']
inlined = {f: n for f, n in seen.items() if f[:1] and f[0][0] == 'work'}
exact = sum(n for f, n in inlined.items() if f[1] == ('outer', 12, 10))
# most are in the loop, and told as that
if 4 * exact < sum(seen.values()) or any(not 1 <= f[0][1] <= 8 or f[0][2] for f in inlined):
    sys.exit(str(seen))
EOF
	: >"$T/ready"
}
[ ! -x "$middle" ] || watch_inlined "$middle"

# a recursion deeper than a stack may be: the innermost frames, and that there are more
cat >"$T/deep.js" <<'EOF'
function down(n) {
  if (n) return down(n - 1);
  for (const end = Date.now() + 300; Date.now() < end;);
}
console.log('ready');
setInterval(down, 500, 400);
EOF
"$node" --no-opt "$T/deep.js" >"$T/ready" & pids+=($!)
pid=$!
until_ok 10 grep -q ready "$T/ready" || fail "node did not start"
$PS stat -d 2s --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
kill "$pid"
python3 - "$T/stat.json" <<'EOF' || fail "a deep recursion"
import json, sys
seen = others = 0
for stall in json.load(open(sys.argv[1]))['loops'][0]['stalls']:
    for stack in stall['stacks']:
        frames = stack['frames']
        inner = [f['line'] for f in frames if f['name'] == 'down']
        if not inner:
            others += 1 # off the CPU in the timer's own code, on its way in or out
            continue
        # the first is where it spins, the others are the call
        assert len(inner) > 100 and set(inner[1:]) == {2}, inner
        # of a copied stack, where native code has broken the chain, it is only known that there are more
        assert frames[-1]['name'] in ('[256+ more frames]', '[1+ more frames]'), frames[-1]
        if frames[-1]['name'] == '[1+ more frames]':
            others += 1
            continue
        seen += 1
assert seen > others, (seen, others)
EOF
