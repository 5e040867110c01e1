#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A program that was made of other files, all on one line with short names: functions are told by their
# own names, files and lines, whether the source map lies beside it, in it, or in parts. Where there is
# none, or an odd one, by the place in the file that ran.
# limit: 90
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
# before everything else on this machine: a stall that waits for a CPU has another culprit
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)

# made here, so that what is expected comes from no other tool: the "sources" and the script with its mappings
cat >"$T/make.py" <<'EOP'
import base64, json, os, sys
top = sys.argv[1]
script = ('"use strict";function a(b){for(const c=Date.now()+b;Date.now()<c;);}'
          'const d=()=>{a(90)};setInterval(d,300);console.log("ready");')
# (what stands in the script, the source, its line and column from 0, its name there)
places = [('function a', 0, 9, 7, None), ('a(b)', 0, 9, 16, 'burnCycles'), ('(b)', 0, 9, 26, None), ('for(', 0, 11, 2, None),
          ('Date.now()<c', 0, 12, 9, None), ('const d', 1, 2, 0, None), ('d=()', 1, 2, 6, 'everySecond'),
          ('()=>', 1, 2, 20, None), ('a(90)', 1, 3, 2, 'burnCycles'), ('setInterval', 1, 5, 0, None), ('d,300', 1, 5, 12, 'everySecond')]
names = ['burnCycles', 'everySecond']
digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
def number(n):
    n, out = (-n << 1 | 1) if n < 0 else n << 1, ''
    while True:
        out += digits[n & 31 | (32 if n > 31 else 0)]
        n >>= 5
        if not n:
            return out
def mappings():
    last, out = [0] * 5, []
    for text, source, line, column, name in places:
        now = [script.index(text), source, line, column, names.index(name) if name else last[4]]
        out.append(''.join(number(n - l) for n, l in zip(now, last))[:None if name else None] if name else
                   ''.join(number(n - l) for n, l in zip(now[:4], last[:4])))
        last = now
    return ','.join(out)
whole = {'version': 3, 'sources': ['../src/work.ts', '../src/main.ts'], 'names': names, 'mappings': mappings()}
parts = {'version': 3, 'sections': [{'offset': {'line': 0, 'column': 0}, 'map': whole}]}
def put(name, comment, document=None):
    os.makedirs(f'{top}/{name}/dist', exist_ok=True)
    with open(f'{top}/{name}/dist/app.js', 'w') as out:
        out.write(script + '\n' + comment + '\n')
    if document is not None:
        with open(f'{top}/{name}/dist/app.js.map', 'w') as out:
            out.write(document)
put('beside', '//# sourceMappingURL=app.js.map', json.dumps(whole))
put('parts', '//# sourceMappingURL=./app%2Ejs.map?x', ")]}'\n" + json.dumps(parts))
put('within', '//# sourceMappingURL=data:application/json;charset=utf-8;base64,' + base64.b64encode(json.dumps(whole).encode()).decode())
put('none', '')
put('odd', '//# sourceMappingURL=app.js.map', '{"version":3,"sources":["x"],"mappings":"AA!"}')
put('far', '//# sourceMappingURL=https://127.0.0.1/app.js.map')
put('link', '//# sourceMappingURL=app.js.map')
os.symlink(f'{top}/beside/dist/app.js.map', f'{top}/link/dist/app.js.map')
put('fifo', '//# sourceMappingURL=app.js.map')
os.mkfifo(f'{top}/fifo/dist/app.js.map')
EOP
python3 "$T/make.py" "$T" || fail "the programs could not be made"

watch() {
	local pids_now=()
	"${first[@]}" "$node" "$T/$1/dist/app.js" >"$T/$1/ready" & pids+=($!)
	pids_now=($!)
	until_ok 10 test -s "$T/$1/ready" || fail "node did not start"
	$PS stat -d 2s --json "${pids_now[0]}" >"$T/$1.json" 2>"$T/err" || fail "$1: exit $?: $(cat "$T/err")"
	kill "${pids_now[0]}"
}
frames="[f for s in d['loops'][0]['stalls'] for k in s['stacks'] for f in k['frames'] if f['kind'] == 'js' and 'dist/app.js' in (f['module'] or '') + f['file']]"
for name in beside parts within; do
	watch $name
	# 10: of a build without symbols the place of an optimised function is where it begins
	holds "$T/$name.json" "any((f['name'], f['file']) == ('burnCycles', '$T/$name/src/work.ts') and f['line'] in (10, 13) and
		'/$name/dist/app.js:1:' in f['module'] for f in $frames)"
	holds "$T/$name.json" "any((f['name'], f['file'], f['line'], f['column']) == ('everySecond', '$T/$name/src/main.ts', 4, 3) for f in $frames)"
	holds "$T/$name.json" "any(c['name'] == 'burnCycles' and c['file'].endswith('work.ts') and c['line'] in (10, 12, 13) for c in d['culprits'])"
done
for name in none odd far link fifo; do
	watch $name
	holds "$T/$name.json" "any((f['name'], f['file'], f['line']) == ('a', '$T/$name/dist/app.js', 1) and not f['module'] for f in $frames)"
done
