#!/usr/bin/env bash
# The loop as a library: the shared object has a SONAME and shows the functions
# of ps_loop.h only; so does the archive; every example builds with pkg-config
# alone, against either, and does what it says.
# limit: 120
. tests/lib.sh

dest=$PWD/$B/library-test
rm -rf "$dest"
make -s --no-print-directory B="$B" DESTDIR="$dest" PREFIX=/usr install-loop >"$T/log" 2>&1 || fail "make install-loop: $(cat "$T/log")"
lib=$dest/usr/lib
pkg_config=$(program pkg-config) || skip "pkg-config is not installed"
export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dest LD_LIBRARY_PATH=$lib

objdump -p "$lib/libpollscope-loop.so" | grep -q 'SONAME *libpollscope-loop.so.0' || fail "no SONAME"
[ "$(readlink "$lib/libpollscope-loop.so")" = libpollscope-loop.so.0 ] || fail "no link for the linker"
shown() { nm "$@" | awk '$2 ~ /[TDBR]/ { sub(/@.*/, "", $3); print $3 }' | sort -u; }
declared=$(grep -oE '\bps_[a-z0-9_]+\(' include/ps_loop.h | tr -d '(' | grep -v '_fn$' | sort -u)
[ "$(shown -D --defined-only "$lib/libpollscope-loop.so" | grep -v PS_LOOP_0)" = "$declared" ] ||
	fail "the shared object shows other functions than ps_loop.h: $(diff <(shown -D --defined-only "$lib/libpollscope-loop.so") <(echo "$declared"))"
[ "$(shown -g --defined-only "$lib/libpollscope-loop.a")" = "$declared" ] ||
	fail "the archive shows other symbols than ps_loop.h: $(diff <(shown -g --defined-only "$lib/libpollscope-loop.a") <(echo "$declared"))"

# the reference is made from the header and misses no function
page=$dest/usr/share/man/man3/pollscope-loop.3
[ -s "$page" ] || fail "no manual page"
for function in $declared; do
	grep -q "$function(" "$page" || fail "the manual page does not mention $function"
done
if mandoc=$(program mandoc); then
	"$mandoc" -Tlint "$page" 2>&1 | grep -v 'referenced manual not found' >"$T/lint"
	[ -s "$T/lint" ] && fail "mandoc: $(cat "$T/lint")"
	"$mandoc" -Tascii "$page" | sed 's/.\x08//g' | grep -q 'Thread-per-connection\|one blocking thread per connection' || fail "a section is missing"
fi

build() { # DIRECTORY LINKER-FLAGS…
	local out=$1 flags example
	shift
	mkdir -p "$T/$out"
	flags=$("$pkg_config" --cflags --libs "$@" pollscope-loop) || fail "pkg-config"
	[ "$out" = static ] && flags=${flags/-lpollscope-loop/-l:libpollscope-loop.a}
	for example in examples/*.c; do
		# shellcheck disable=SC2086
		${CC:-cc} -Wall -O1 -o "$T/$out/$(basename "$example" .c)" "$example" $flags || fail "$example does not build: $flags"
	done
}

# starts a server that prints its port; sets port
serve() {
	rm -f "$T/port"
	"$@" >"$T/port" &
	pids+=($!)
	until_ok 5 grep -q . "$T/port" || fail "$1 does not listen"
	port=$(cat "$T/port")
}

try() {
	local dir=$T/$1 port
	[ "$("$dir/timers" | tr '\n' ',')" = "next tick,timer,immediate,repeat, 2 left,repeat, 1 left,repeat, 0 left," ] ||
		fail "timers: $("$dir/timers")"
	head -c 3000000 /dev/urandom >"$T/data"
	# shellcheck disable=SC2002 # it must be a pipe
	cat "$T/data" | "$dir/pipes" | cmp - "$T/data" || fail "pipes"
	serve "$dir/echo"
	python3 - "$port" <<'P' || fail "echo"
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
s.sendall(b"x" * 100000); s.shutdown(socket.SHUT_WR)
got = b""
while True:
    d = s.recv(65536)
    if not d: break
    got += d
sys.exit(got != b"x" * 100000)
P
	wait "${pids[-1]}" || fail "echo ended badly"
	serve "$dir/chat"
	python3 - "$port" <<'P' || fail "chat"
import socket, sys
a, b = (socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).makefile("rw") for _ in range(2))
assert a.readline() == b.readline() == "welcome\n"
a.write("hello all\n"); a.flush()
assert a.readline() == b.readline() == "hello all\n"
P
	wait "${pids[-1]}" || fail "chat ended badly"
	mkdir -p "$T/files" && echo "a file" >"$T/files/one"
	serve "$dir/files" "$T/files"
	python3 - "$port" <<'P' || fail "files"
import http.client, sys
c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=5)
def get(p):
    c.request("GET", p); r = c.getresponse(); return r.status, r.read()
assert get("/one") == (200, b"a file\n")
assert get("/two") == (404, b"")
assert get("/../one")[0] == 400
c.close()
P
	kill "${pids[-1]}" && wait "${pids[-1]}" || fail "files ended badly"
}

build shared
ldd "$T/shared/echo" | grep -q libpollscope-loop.so.0 || fail "the example does not use the shared object"
try shared
build static --static
try static
rm -rf "$dest"
