#!/usr/bin/env bash
# What check finds and what it imagines, on this machine as it is: runs of the
# same program (A), of one that computes 10 % more (B) and of one that reads a
# file synchronously (C), interleaved, then many verdicts on random parts.
#   RUNS=30 VERDICTS=200 tests/bench/verdicts.sh [FOLDER]
set -u
B=${B:-build}
PS=$PWD/$B/pollscope runs=${RUNS:-30} verdicts=${VERDICTS:-200} T=${1:-}
[ -n "$T" ] || { T=$(mktemp -d) && trap 'rm -rf "$T"' EXIT; }
[ "$(id -u)" = 0 ] || { echo "verdicts: needs root"; exit 0; }
command -v node >/dev/null || { echo "verdicts: node is not installed"; exit 0; }
head -c 48M /dev/zero >"$T/settings"
once() { # NAME ENVIRONMENT…
	local name=$1; shift
	env "$@" "$PS" record -q --stall 10ms --without runtime --without snapshot --without ready --without poller -o "$T/$name.psr" -- node tests/data/steady.js >/dev/null 2>&1 &&
		"$PS" report --json "$T/$name.psr" >"$T/$name.json" 2>/dev/null && rm -f "$T/$name.psr"
}
for i in $(seq -w 1 "$runs"); do
	once "a1-$i" WORK=100; once "b-$i" WORK=110; once "a2-$i" WORK=100; once "c-$i" WORK=100 SYNC="$T/settings"
done
cat >"$T/budget.yml" <<'YML'
schema: 1
regressions:
  - metric: new.sync_calls
  - metric: new.rules
  - metric: cpu.per_iteration
YML
python3 - "$PS" "$T" "$runs" "$verdicts" <<'PY'
import json, random, subprocess, sys
ps, folder, runs, verdicts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
random.seed(1)
def verdict(now, before):
    out = subprocess.run([ps, 'check', '--json', '--budget', folder + '/budget.yml', *now, *[w for f in before for w in ('--baseline', f)]],
                         capture_output=True, text=True).stdout
    return {r['metric']: r for r in json.loads(out)['check']['results']} | {'': json.loads(out)['check']['verdict']}
width = len(str(runs))
def name(kind, i): return f'{folder}/{kind}-{i:0{width}d}.json'
tally = {}
for v in range(verdicts):
    chosen = random.sample(range(1, runs + 1), 10)
    pairs = [random.sample([name('a1', i), name('a2', i)], 2) for i in chosen]
    for kind, now in (('same', [p[1] for p in pairs]), ('10 % more CPU', [name('b', i) for i in chosen]), ('one readFileSync', [name('c', random.choice(chosen))])):
        got = verdict(now, [p[0] for p in pairs])
        for key in got:
            word = got[key] if key == '' else got[key]['verdict']
            tally.setdefault((kind, key or 'any'), {}).setdefault(word, 0)
            tally[kind, key or 'any'][word] += 1
        if kind == 'one readFileSync' and got['new.sync_calls']['verdict'] == 'fail' and 'readSettings' in got['new.sync_calls']['reason'] and got['new.sync_calls']['line']:
            tally.setdefault((kind, 'named by file and line'), {}).setdefault('fail', 0)
            tally[kind, 'named by file and line']['fail'] += 1
for (kind, key), words in tally.items():
    print(f'{kind:18} {key:24}', *(f'{word} {100 * count / verdicts:.1f} %' for word, count in sorted(words.items())))
PY
