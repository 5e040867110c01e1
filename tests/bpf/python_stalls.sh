#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Ways to block a loop of asyncio, in each version of Python that is here: the
# function, file and line that the program says itself it is in, in every frame
# of every stack, and the user's own function as the culprit.
# limit: 120
. tests/lib.sh
need_root
[ "$(uname -m)" = x86_64 ] || skip "frames of Python are walked on x86-64 only"

# who tells, cause, rule, what it called ("-": nothing), the innermost function; all of it holds for the stripped build of Debian, too
cat >"$T/expected" <<'END'
count_up cpu computation - count_up
price cpu computation - price
__call__ sync-io sync-call clock_nanosleep|pselect6 __call__
inner cpu computation - inner
comprehend cpu computation - comprehend|<listcomp>
generate cpu computation - <genexpr>
sort_all cpu computation - sort_all|<lambda>
größe cpu computation - größe
数える cpu computation - 数える
nap sync-io sync-call clock_nanosleep|pselect6 nap
print_rows cpu json json.dumps print_rows
pack cpu compression|computation -|deflate pack
hash_secret cpu crypto \S+ hash_secret
match_name cpu regex re.match match_name
match_compiled cpu regex|computation -|\S+ match_compiled
deep cpu computation - deep
far_down sync-io sync-call clock_nanosleep|pselect6 far_down
END
cat >"$T/judge.py" <<'END'
import json, re, sys
document, said, wanted = sys.argv[1:4]
stalls = [s for loop in json.load(open(document))['loops'] for s in loop['stalls']]
told = [stack for stack in map(json.loads, open(said)) if isinstance(stack, list)]
stacks = {json.dumps([frame[:3] for frame in stack]) for stack in told}
outer = {(json.dumps([frame[:3] for frame in stack[1:]]), stack[0][0], line)
         for stack in told for line in range(stack[0][3], stack[0][2] + 1)}
places, names = {}, {stack[0][0] for stack in told}
for stack in told:
    places[stack[0][0]] = stack[0][2]
good = bad = 0
for row in (row for s in stalls for row in s['stacks']):
    frames = [[f['name'], f['file'], f['line']] for f in row['frames'] if f['kind'] == 'python']
    inner = next((i for i, f in enumerate(frames) if f[0] in names), None)
    if inner is None:
        continue
    # the very stack that it told of, or on the way from where it told to what it told of
    fits = (json.dumps(frames[inner:]) in stacks or
            (json.dumps(frames[inner + 1:]), frames[inner][0], frames[inner][2]) in outer)
    good += fits
    bad += not fits
    if not fits:
        print('not told of:', *frames[inner:], sep='\n  ')
print(f'{good} stacks as told, {bad} not, of {len(stalls)} stalls')
lines = {name.split('.')[-1]: line for name, line in places.items()}
for name, cause, rule, called, inner in (row.split() for row in open(wanted).read().splitlines()):
    before = '' if called == '-' else rf'(({called}) <- )' + '?' * called.startswith('-|')
    # since 3.11 functions have long names
    place = re.compile(rf'{before}([\w.<>]+\.)?({inner}) sins\.py:{lines.get(name, "never")}$')
    # while the machine is busy with others, a stall is rightly said to wait for a CPU
    if not any(s['cause'] == cause and re.fullmatch(rule, s['rule']) and place.match(s['culprit']) or
               s['own'] and re.fullmatch(rule, s['own']['rule']) and place.search(s['own']['culprit']) for s in stalls):
        bad += 1
        print('missing:', name, cause, rule, place.pattern)
if bad or good < 30:
    print('all:', *[(s['cause'], s['rule'], s['culprit']) for s in stalls], sep='\n  ')
    sys.exit(1)
END

watch() {
	local python=$1 pid
	"$python" tests/data/sins.py >"$T/said" 2>"$T/python.err" & pids+=($!)
	pid=$!
	until_ok 10 grep -q ready "$T/said" || fail "$python did not start: $(cat "$T/python.err")"
	$PS stat -d 6s --stall 30ms --json "$pid" >"$T/stat.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
	kill -0 "$pid" || fail "the target died: $(cat "$T/python.err")"
	kill "$pid"
	python3 "$T/judge.py" "$T/stat.json" "$T/said" "$T/expected" || fail "$python"
}

tried=0
for python in /usr/bin/python3 "$HOME"/.pyenv/versions/3.*/bin/python3; do
	[ -x "$python" ] || continue
	version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || continue
	case $version in 3.8 | 3.9 | 3.1[0-3]) ;; *) continue ;; esac
	echo "$python: $version"
	watch "$python"
	tried=$((tried + 1))
done
[ "$tried" -gt 0 ] || skip "no Python 3.8 to 3.13"
