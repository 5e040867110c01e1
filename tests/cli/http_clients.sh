#!/usr/bin/env bash
# Real clients against both servers, the loop's and the one with a blocking
# thread per connection: curl, ab, wrk, nc; and ten thousand connections that
# say nothing for a while.
# limit: 60
. tests/lib.sh
hello=$B/tests/programs/hello

serve() { # OPTION…; sets port and server
	: >"$T/port"
	"$hello" "$@" >"$T/port" &
	server=$!
	pids+=("$server")
	until_ok 5 grep -q . "$T/port" || fail "hello does not listen"
	port=$(cat "$T/port")
}

try_curl() {
	local url=http://127.0.0.1:$port
	curl=$(program curl) || return 0
	[ "$("$curl" -s "$url/")" = hello ] || fail "curl $1"
	# one connection for three requests
	"$curl" -sv "$url/a" "$url/b" "$url/c" >"$T/out" 2>"$T/err" || fail "curl $1: three"
	[ "$(cat "$T/out")" = "$(printf 'hello\nhello\nhello')" ] || fail "curl $1: three answers"
	[ "$(grep -c '^\* Connected to' "$T/err")" = 1 ] || fail "curl $1: not kept alive: $(cat "$T/err")"
	head -c 300000 /dev/urandom >"$T/body"
	"$curl" -s --data-binary "@$T/body" "$url/body" | cmp - "$T/body" || fail "curl $1: a body"
	"$curl" -s -H 'Expect: 100-continue' --data-binary "@$T/body" "$url/body" | cmp - "$T/body" || fail "curl $1: 100-continue"
	"$curl" -s -H 'Transfer-Encoding: chunked' --data-binary "@$T/body" "$url/body" | cmp - "$T/body" || fail "curl $1: chunks"
	"$curl" -s -0 "$url/" | grep -qx hello || fail "curl $1: HTTP/1.0"
	[ "$("$curl" -sI -o "$T/out" -w '%{http_code}' "$url/")" = 200 ] || fail "curl $1: HEAD"
	grep -q 'Content-Length: 6' "$T/out" || fail "curl $1: HEAD without the length"
	head -c 2000000 /dev/zero >"$T/body"
	[ "$("$curl" -s -o "$T/out" -w '%{http_code}' --data-binary "@$T/body" "$url/body")" = 413 ] || fail "curl $1: too much"
}

try_ab() {
	ab=$(program ab) || return 0
	local options
	for options in "" -k; do
		# shellcheck disable=SC2086
		"$ab" -q $options -n 2000 -c 20 "http://127.0.0.1:$port/" >"$T/ab" 2>&1 || fail "ab $options $1: $(cat "$T/ab")"
		grep -q '^Complete requests: *2000$' "$T/ab" || fail "ab $options $1: $(cat "$T/ab")"
		grep -q '^Failed requests: *0$' "$T/ab" || fail "ab $options $1: $(cat "$T/ab")"
	done
	grep -q '^Keep-Alive requests: *2000$' "$T/ab" || fail "ab -k $1 was not kept alive: $(cat "$T/ab")"
}

try_wrk() {
	wrk=$(program wrk) || return 0
	"$wrk" -t1 -c32 -d1s "http://127.0.0.1:$port/" >"$T/wrk" 2>&1 || fail "wrk $1: $(cat "$T/wrk")"
	grep -q 'Socket errors\|Non-2xx' "$T/wrk" && fail "wrk $1: $(cat "$T/wrk")"
	[ "$(awk '/requests in/ { print $1 }' "$T/wrk")" -ge 1000 ] || fail "wrk $1: $(cat "$T/wrk")"
}

try_nc() {
	nc=$(program nc) || return 0
	printf 'GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n' |
		"$nc" -N -w 5 127.0.0.1 "$port" >"$T/out" || fail "nc $1"
	[ "$(grep -c '^hello' "$T/out")" = 3 ] || fail "nc $1: pipelined: $(cat "$T/out")"
	printf 'this is not HTTP\r\n\r\n' | "$nc" -N -w 5 127.0.0.1 "$port" | head -1 | grep -q '^HTTP/1.1 400 ' || fail "nc $1: nonsense"
}

for mode in "the loop" threads; do
	if [ "$mode" = threads ]; then serve --threads; else serve; fi
	try_curl "$mode"
	try_ab "$mode"
	try_wrk "$mode"
	try_nc "$mode"
	kill "$server"
	wait "$server" || fail "the server ended badly"
done

ulimit -n 11000 2>/dev/null || { echo "may not open 11000 descriptors: 10k connections not tried"; exit 0; }
serve --connections 10000
python3 - "$port" "$server" <<'P' || fail "ten thousand idle connections"
import random, socket, sys, time
port, server = int(sys.argv[1]), int(sys.argv[2])
def rss():
    return next(int(l.split()[1]) for l in open(f"/proc/{server}/status") if l.startswith("VmRSS")) * 1024
def ask(s):
    s.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert s.recv(4096).endswith(b"\r\n\r\nhello\n")
first = socket.create_connection(("127.0.0.1", port), 5)
ask(first)
before = rss()
held = [first]
while len(held) < 10000:
    held.append(socket.create_connection(("127.0.0.1", port), 5))
refused = socket.create_connection(("127.0.0.1", port), 5)
assert refused.recv(1) == b""           # one more than may be
def cpu():
    f = open(f"/proc/{server}/stat").read().rsplit(")", 1)[1].split()
    return int(f[11]) + int(f[12])
spent = cpu()
time.sleep(1)
assert cpu() - spent <= 5, "10k idle connections cost time"
each = (rss() - before) / 10000
print(f"{each:.0f} bytes for each of 10,000 idle HTTP connections")
assert each < 1000
for s in random.sample(held, 500):
    ask(s)
P
kill "$server"
wait "$server" || fail "the server ended badly"
