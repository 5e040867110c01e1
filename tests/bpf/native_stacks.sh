#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs without frame pointers: a libuv program in C++, redis, python. The
# function that blocks is named, and stacks reach main.
# limit: 60
. tests/lib.sh
need_root
[ "$(uname -m)" = x86_64 ] || skip "stacks are copied on x86-64 only"

# before everything else on this machine: a stall that waits for a CPU has another cause
first=(); chrt -f 1 true 2>/dev/null && first=(chrt -f 1)

cat >"$T/judge.py" <<'EOF'
import json, re, sys
document = json.load(open(sys.argv[1]))
outermost = sys.argv[2]
stalls = [s for loop in document['loops'] for s in loop['stalls'] if s['duration_ns'] > 80e6]
bad = 0
for cause, rule, culprit in (row.split(' ', 2) for row in sys.stdin.read().splitlines()):
    # while the machine is busy with others, a few are rightly said to wait for a CPU
    if not any(s['cause'] == cause and s['rule'] == rule and re.search(culprit, s['culprit']) for s in stalls):
        print('missing:', cause, rule, culprit)
        bad += 1
rows = [row for s in stalls for row in s['stacks']]
taken = sum(row['count'] for row in rows)
whole = sum(row['count'] for row in rows if any(f['name'] == outermost for f in row['frames']))
print(f'{whole} of {taken} stacks reach {outermost}')
if bad or whole < 0.95 * taken or taken < 10:
    for s in stalls:
        print(s['cause'], s['rule'], s['culprit'], s['stacks'][:1])
    sys.exit(1)
EOF
# watch PID SECONDS
watch() { : >"$T/watched"; $PS stat -d "$2" --json "$1" --ready-fd 3 >"$T/stat.json" 2>"$T/err" 3>"$T/watched"; }
judge() { python3 "$T/judge.py" "$T/stat.json" "$1" || fail "$2"; }

# libuv, C++
if command -v g++ >/dev/null && [ -e /usr/include/uv.h ]; then
	g++ -O2 -g -fomit-frame-pointer -o "$T/shop" tests/data/no_frame_pointers.cc -luv || fail "does not compile"
	"${first[@]}" "$T/shop" >"$T/ready" & pids+=($!)
	pid=$!
	until_ok 10 test -s "$T/ready" || fail "the libuv program did not start"
	watch "$pid" 2.5s || fail "stat: exit $?: $(cat "$T/err")"
	line=$(grep -n 'blocks: addUp' tests/data/no_frame_pointers.cc | cut -d: -f1)
	judge main "libuv program" <<-EOF
	cpu computation ^shop::Basket::addUp <- shop::checkout<shop::Basket>.* no_frame_pointers.cc:
	sync-io sync-call nanosleep <- waitForDisk
	EOF
	holds "$T/stat.json" "any(f['name'] == 'shop::Basket::addUp' and f['line'] and abs(f['line'] - $line) <= 2
		for s in d['loops'][0]['stalls'] for r in s['stacks'] for f in r['frames'])"
	kill "$pid"
else
	echo "no g++ or no libuv: left out"
fi

# redis
redis=$(program redis-server) cli=$(program redis-cli)
if [ -n "$redis" ] && [ -n "$cli" ]; then
	port=$(free_port)
	"${first[@]}" "$redis" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$T" --enable-debug-command yes >"$T/redis.log" 2>&1 & pids+=($!)
	pid=$!
	until_ok 10 "$cli" -p "$port" ping || fail "redis did not start: $(cat "$T/redis.log")"
	"$cli" -p "$port" debug populate 1000000 >/dev/null
	rm -f "$T/watched"
	watch "$pid" 4s & stat=$!
	until_ok 10 test -s "$T/watched" || fail "stat did not attach"
	"$cli" -p "$port" eval 'local s = 0 for i = 1, 2e7 do s = s + i % 7 end return s' 0 >/dev/null || fail "EVAL"
	"$cli" -p "$port" keys '*' >/dev/null || fail "KEYS"
	"$cli" -p "$port" debug sleep 0.2 >/dev/null || fail "DEBUG SLEEP"
	wait "$stat" || fail "stat: $(cat "$T/err")"
	judge main redis <<-EOF
	cpu computation .*<- eval
	cpu computation keysCommand
	sync-io sync-call nanosleep <- debugCommand
	EOF
	kill "$pid"
else
	echo "no redis: left out"
fi

# python
cat >"$T/server.py" <<'EOF'
import asyncio, hashlib, re
async def main():
    print('ready', flush=True)
    while True:
        await asyncio.sleep(0.3)
        hashlib.pbkdf2_hmac('sha256', b'password', b'salt', 600000)
        await asyncio.sleep(0.1)
        re.match(r'(a+)+$', 'a' * 23 + 'b')
asyncio.run(main())
EOF
"${first[@]}" python3 "$T/server.py" >"$T/ready" & pids+=($!)
pid=$!
until_ok 10 grep -q ready "$T/ready" || fail "python did not start"
watch "$pid" 2s || fail "stat: exit $?: $(cat "$T/err")"
# Debian's is stripped, but the frames of Python tell what it does
judge _start python <<-EOF
cpu crypto PBKDF2
cpu regex re.match <- main server.py:8
EOF
kill "$pid"
