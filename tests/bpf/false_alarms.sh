#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A healthy loop and a well written node server, both under load: nothing is told
# to have blocked them. What the machine did to them is no false alarm, but true:
# such a stall must say that the loop waited for a CPU, or for a thread that did, and
# the kernel's own account of the threads must agree. POLLSCOPE_CALM=600 for as many seconds; by default 8.
# limit: 60
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
seconds=${POLLSCOPE_CALM:-8}

cat >"$T/clients.js" <<'EOS'
'use strict';
const http = require('http');
const [port, seconds] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
const body = JSON.stringify({ id: 1, tags: ['a', 'b'] });
const paths = ['/rows', '/page', '/zip', '/login', '/stat', '/echo', '/many', '/none'];
let turn = 0, answered = 0;
const beat = setInterval(() => {
  const path = paths[turn++ % paths.length], method = path === '/echo' ? 'POST' : 'GET';
  const request = http.request({ host: '127.0.0.1', port, agent, path, method }, (answer) => answer.resume().on('end', () => answered++));
  request.on('error', () => {});
  request.end(method === 'POST' ? body : undefined);
}, 5);
setTimeout(() => { clearInterval(beat); console.log(answered); process.exit(); }, seconds * 1000);
EOS
cat >"$T/judge.py" <<'EOS'
import json, sys
document, waited_ns = json.load(open(sys.argv[1])), int(sys.argv[2])
stalls = [s for l in document['loops'] for s in l['stalls']]
# most of it ready to run, or what is left without that is below the threshold
host = [s for s in stalls if s['cause'] in ('run-queue', 'throttled') and s['rule'] == 'host' or
        (s['runnable_ns'] or 0) > 0 and s['duration_ns'] - s['runnable_ns'] < document['stall_threshold_ns']]
# or it waited for a thread that waited for a CPU: one of its pool, which held libuv's lock, or one that collects garbage with it
held = [s for s in stalls if s not in host and
        (s['cause'] == 'lock' and s['rule'] == 'host' or s['cause'] == 'gc' and (s['blocked_ns'] or 0) > s['duration_ns'] // 2)]
told = sum(s['runnable_ns'] for s in host) + sum(s['blocked_ns'] for s in held)
host += held
false = [s for s in stalls if s not in host]
for s in stalls:
    print('false' if s in false else 'host', s['duration_ns'] / 1e6, 'ms', s['cause'], s['rule'], s['culprit'],
          'on cpu', s['on_cpu_ns'], 'ready', s['runnable_ns'], 'blocked', s['blocked_ns'])
for f in document['findings']:
    print('finding', f['id'], f['severity'], f['title'])
blame = [f for f in document['findings'] if f['id'] in ('PS001', 'PS002', 'PS003', 'PS004', 'PS013', 'PS014') and not host]
if document['lost']['total']:
    print(document['lost'], [(p['group'], p['state'], p['hits'], p['reason']) for p in document['probes']])
polls = sum(l['polls'] for l in document['loops'])
print(f"{document['window_ns'] / 1e9:.1f} s, {polls} waits, {len(stalls)} stalls, {len(host)} of the host "
      f"({told / 1e6:.0f} ms of {waited_ns / 1e6:.0f} ms that the kernel counted), lost {document['lost']['total']}")
sys.exit(bool(false or blame or document['lost']['total'] or told > waited_ns + 1e6 or polls < 50))
EOS
# how long its threads were ready to run, in ns, says the kernel
waited() { cat /proc/"$1"/task/*/schedstat | { sum=0; while read -r _ ready _; do sum=$((sum + ready)); done; echo "$sum"; }; }
# judge NAME WAITED_NS
judge() { python3 "$T/judge.py" "$T/$1.json" "$2" >"$T/$1.told" || { cat "$T/$1.told"; fail "$1: a false alarm"; }; sed "s/^/$1: /" "$T/$1.told"; }

# the demo looks at its server by the recorder alone; from outside the probes see it too
$PS demo healthy -d $((seconds + 60))s --json >"$T/demo.json" 2>"$T/demo.err" & demo=$!; pids+=("$demo")
"$node" "$(realpath tests/data/tuned_server.js)" "$T" >"$T/port" & pids+=("$!")
server=$!
until_ok 10 test -s "$T/port" || fail "node did not start"
until_ok 10 pgrep -P "$demo" || fail "the demo has no server: $(cat "$T/demo.err")"
healthy=$(pgrep -P "$demo" | head -1)
"$node" "$T/clients.js" "$(cat "$T/port")" $((seconds + 2)) >"$T/answered" & clients=$!; pids+=("$clients")
before=$(waited "$server") healthy_before=$(waited "$healthy")
$PS stat -d "${seconds}s" --json "$healthy" >"$T/healthy.json" 2>"$T/healthy.err" & watcher=$!; pids+=("$watcher")
$PS stat -d "${seconds}s" --json "$server" >"$T/node.json" 2>"$T/err" || fail "stat: exit $?: $(cat "$T/err")"
after=$(waited "$server")
wait "$watcher" || fail "stat: exit $?: $(cat "$T/healthy.err")"
healthy_after=$(waited "$healthy")
kill -INT "$demo"; wait "$demo" || fail "demo: exit $?: $(cat "$T/demo.err")"
wait "$clients"
[ "$(cat "$T/answered")" -gt $((seconds * 20)) ] || fail "only $(cat "$T/answered") requests were answered"
holds "$T/node.json" "d['loops'][0]['polls'] > 100"
judge node $((after - before))
judge healthy $((healthy_after - healthy_before))
holds "$T/demo.json" "d['loops'][0]['polls'] > 100 and not [s for l in d['loops'] for s in l['stalls'] if s['cause'] not in ('run-queue', 'unknown')]"
