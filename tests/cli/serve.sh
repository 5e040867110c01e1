#!/usr/bin/env bash
# serve answers scrapers in the format they ask for, writes a textfile at once,
# and survives the slow, the greedy and the broken.
# limit: 60
. tests/lib.sh

$PS demo -q -d 50s >/dev/null 2>&1 & demo=$!; pids+=("$demo")
has_server() { server=$(pgrep -P "$demo") && grep -q demo-server "/proc/$server/comm"; }
until_ok 10 has_server || fail "no demo server"
mkfifo "$T/ready"
$PS serve --no-bpf --listen 127.0.0.1:0 --ready-fd 3 "$server" 2>"$T/err" 3>"$T/ready" & serve=$!; pids+=("$serve")
head -c 1 "$T/ready" >/dev/null
url=$(sed -n 's/.*\(http:[^ ]*\)/\1/p' "$T/err")
[ -n "$url" ] || fail "no address: $(cat "$T/err")"
port=${url#http://127.0.0.1:}; port=${port%/metrics}
sleep 1

get() { curl -s -m 5 "$@"; }
get -D "$T/head" "$url" >"$T/text" || fail "GET: exit $?"
grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' "$T/head" || fail "type of the text: $(cat "$T/head")"
grep -q '^pollscope_loop_polls_total{process="demo-server",thread="demo"} [1-9]' "$T/text" || fail "no polls: $(head -40 "$T/text")"
grep -q '^# EOF' "$T/text" && fail "Prometheus text has no EOF"
get -D "$T/head" -H 'Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1' "$url" >"$T/open"
grep -qi '^content-type: application/openmetrics-text; version=1.0.0' "$T/head" || fail "type of OpenMetrics: $(cat "$T/head")"
[ "$(tail -1 "$T/open")" = '# EOF' ] || fail "OpenMetrics ends in $(tail -1 "$T/open")"
get -D "$T/head" -H 'Accept: application/openmetrics-text;q=0.2, text/plain' "$url" >/dev/null
grep -qi '^content-type: text/plain' "$T/head" || fail "q is not heeded"
[ "$(get -o /dev/null -w '%{http_code}' "${url}s")" = 404 ] || fail "another path"
[ "$(get -o /dev/null -w '%{http_code}' -X DELETE "$url")" = 405 ] || fail "another method"
[ "$(get -I -o /dev/null -w '%{http_code} %{size_download}' "$url")" = '200 0' ] || fail "HEAD"
promtool=$(program promtool) && { "$promtool" check metrics <"$T/text" >"$T/lint" 2>&1 || fail "promtool: $(cat "$T/lint")"; }

# eight connections at most; slow heads end; large and broken ones are refused; the ninth scraper finds a place again
python3 - "$port" <<'PY' || fail "abuse"
import socket, sys, time
port = int(sys.argv[1])
def connect():
    s = socket.create_connection(('127.0.0.1', port), 5); s.settimeout(12); return s
def answer(s):
    data = b''
    try:
        while True:
            part = s.recv(65536)
            if not part: return data
            data += part
    except (ConnectionResetError, BrokenPipeError): return data
def scrape():
    s = connect(); s.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'); return answer(s)
begin = time.time()
slow = [connect() for _ in range(8)]
for s in slow: s.sendall(b'GET /metrics HT')
time.sleep(0.3)
assert scrape() == b'', 'a ninth connection was served'
replies = [answer(s) for s in slow] # the deadline of the head is 5 s
assert 4 < time.time() - begin < 9, time.time() - begin
assert all(r == b'' or r.startswith(b'HTTP/1.1 408') for r in replies), replies
for s in slow: s.close()
def finds_place():
    end = time.time() + 5
    while b'pollscope_build_info' not in scrape():
        assert time.time() < end, 'no place any more'
        time.sleep(0.05)
finds_place()
for bad, wanted in ((b'GET /metrics HTTP/1.1\r\nHost: x\r\nX: ' + b'a' * 5000 + b'\r\n\r\n', b'431'),
                    (b'GET /' + b'a' * 5000 + b' HTTP/1.1\r\nHost: x\r\n\r\n', b'4'),
                    (b'POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n' + b'x' * 100, b'413'),
                    (b'\x00\x01\x02\x16\x03\x01garbage\r\n\r\n', b'400'),
                    (b'GET /metrics HTTP/9.9\r\n\r\n', b'4')):
    s = connect(); s.sendall(bad); got = answer(s); s.close()
    assert got.startswith(b'HTTP/1.1 ' + wanted), (bad[:40], got[:80])
# asks without end and never reads
greedy = connect()
greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
greedy.settimeout(0.5)
try:
    for _ in range(3000): greedy.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
except (socket.timeout, ConnectionError): pass
finds_place()
# goes in the middle of its answer, with a reset
for _ in range(20):
    s = connect(); s.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0'); s.close()
finds_place()
PY
rss=$(awk '/VmRSS/ { print $2 }' "/proc/$serve/status")
[ "$rss" -lt 80000 ] || fail "serve grew to $rss kB"
kill -TERM "$serve"; wait "$serve" || fail "serve after SIGTERM: exit $?: $(cat "$T/err")"

# a textfile: whole at every moment, readable by others, gone at the end
mkdir "$T/textfile"
$PS serve -q --no-bpf --textfile "$T/textfile/pollscope.prom" --ready-fd 3 "$server" 2>"$T/err" 3>"$T/ready" & serve=$!; pids+=("$serve")
head -c 1 "$T/ready" >/dev/null
[ "$(stat -c %a "$T/textfile/pollscope.prom")" = 644 ] || fail "mode of the textfile"
for _ in $(seq 1 120); do
	tail -n 1 "$T/textfile/pollscope.prom" | grep -q '^pollscope_\|^# ' || fail "half of a textfile"
	sleep 0.05
done
[ "$(ls "$T/textfile")" = pollscope.prom ] || fail "left beside it: $(ls "$T/textfile")"
kill -TERM "$serve"; wait "$serve" || fail "serve --textfile: exit $?: $(cat "$T/err")"
[ -z "$(ls "$T/textfile")" ] || fail "a stale textfile"

# a full disk and a port that is taken: said, exit 7, nothing left
if [ "$(id -u)" = 0 ] && mkdir "$T/full" && mount -t tmpfs -o size=16k tmpfs "$T/full" 2>/dev/null; then
	head -c 16k /dev/zero >"$T/full/ballast" 2>/dev/null
	$PS serve -q --no-bpf --textfile "$T/full/pollscope.prom" "$server" 2>"$T/err"; rc=$?
	left=$(ls "$T/full")
	umount "$T/full"
	[ $rc = 7 ] && grep -q 'No space left' "$T/err" || fail "full disk: exit $rc: $(cat "$T/err")"
	[ "$left" = ballast ] || fail "left on the full disk: $left"
fi
python3 -c 'import socket, time; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)' >"$T/port" & pids+=($!)
until_ok 5 test -s "$T/port"
$PS serve --no-bpf --listen "127.0.0.1:$(cat "$T/port")" "$server" 2>"$T/err"; rc=$?
[ $rc = 7 ] && grep -q 'in use' "$T/err" || fail "a port that is taken: exit $rc: $(cat "$T/err")"
$PS serve --no-bpf --listen nowhere "$server" 2>"$T/err"; rc=$?
[ $rc = 2 ] || fail "no address: exit $rc"
