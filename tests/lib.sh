# Shared by the test scripts; source it from the top of the repository.
# shellcheck shell=bash
set -u
B=${B:-build}
PS=$B/pollscope
T=$(mktemp -d) || exit 1
pids=()

finish() {
	local rc=$?
	for p in "${pids[@]:-}"; do [ -n "$p" ] && kill -9 "$p" 2>/dev/null; done
	wait 2>/dev/null
	rm -rf "$T"
	exit $rc
}
trap finish EXIT

fail() { echo "FAIL: $*"; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }
need_root() { [ "$(id -u)" = 0 ] || skip "needs root to load BPF programs"; }
# finds a program: PATH, then /usr/sbin, then what tests/peers unpacked
program() {
	local p
	for p in "$(command -v "$1" 2>/dev/null)" "/usr/sbin/$1" "$B/peers/usr/bin/$1" "$B/peers/usr/sbin/$1"; do
		[ -n "$p" ] && [ -x "$p" ] && { echo "$p"; return 0; }
	done
	return 1
}
# until SECONDS COMMAND…: waits for the command to succeed
until_ok() {
	local end=$(( ${EPOCHREALTIME/./} + $1 * 1000000 )); shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.02
	done
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# json FILE EXPRESSION: evaluates a Python expression with the document as d
json() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }
# holds FILE CONDITION: the Python condition is true of document d, or the test fails and prints why.
# The document comes first, in few lines, and the reason last, where the runner shows it
holds() {
	local said; said=$(json "$1" "bool($2)" 2>&1)
	said=${said##*$'\n'} # after warnings of Python, or its exception
	[ "$said" = True ] && return
	head -c 3000 "$1" | tr -s ' \n' ' '; echo
	[ "$said" = False ] || echo "$said"
	fail "$1: not so: $2"
}
