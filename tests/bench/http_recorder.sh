#!/usr/bin/env bash
# B3: requests/s of the hello server with the recorder on and off, alternating.
#   http_recorder.sh [PAIRS]
set -eu
B=${B:-build}
pairs=${1:-8}
hello=$B/tests/programs/hello
wrk=$(command -v wrk) || { echo '{ "bench": "http_recorder", "skipped": "wrk is not installed" }'; exit 0; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

once() { # FILE OPTION…
	local file=$1 pid
	shift
	"$hello" "$@" >"$out/port" &
	pid=$!
	until [ -s "$out/port" ]; do sleep 0.01; done
	"$wrk" -t1 -c64 -d2s "http://127.0.0.1:$(cat "$out/port")/" | awk '/^Requests.sec/ { print $2 }' >>"$file"
	kill "$pid" && wait "$pid" || true
	: >"$out/port"
}

for i in $(seq "$pairs"); do
	if [ $((i % 2)) = 1 ]; then # who comes first must not matter
		once "$out/on"; once "$out/off" --no-recorder
	else
		once "$out/off" --no-recorder; once "$out/on"
	fi
done
python3 - "$out/on" "$out/off" <<'P'
import json, statistics, sys
on, off = ([float(x) for x in open(f)] for f in sys.argv[1:])
ratios = [a / b for a, b in zip(on, off)]
print(json.dumps({"bench": "http_recorder", "unit": "requests/s", "pairs": len(on),
                  "on": {"min": min(on), "median": statistics.median(on), "max": max(on)},
                  "off": {"min": min(off), "median": statistics.median(off), "max": max(off)},
                  "ratio": {"min": round(min(ratios), 3), "median": round(statistics.median(ratios), 3), "max": round(max(ratios), 3)}}))
P
