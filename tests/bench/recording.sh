#!/usr/bin/env bash
# Recordings at work: 200,000 events a second of one thread on one core, by probes
# and by its own flight recorder, recorded on the other, the size of real node
# traffic, and a recording of an hour opened, reported and exported. JSON on stdout; the first two need root.
#   tests/bench/recording.sh [ROUNDS [live]]
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build} ROUNDS=${1:-5}
PS=$B/pollscope
T=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$T"' EXIT
PATH=$PATH:/usr/sbin

# what a recording holds: events, lost, bytes per event, seconds, and the recorder's own CPU
facts() {
	$PS info "$1" --json >"$T/info" 2>/dev/null && $PS report "$1" --json >"$T/report" 2>/dev/null && python3 - "$T/info" "$T/report" <<-'PY'
		import json, sys
		info, report = (json.load(open(name)) for name in sys.argv[1:3])
		r, seconds = info["recording"], report["window_ns"] / 1e9
		print(json.dumps({"events_per_s": round(r["events"] / seconds), "lost": r["lost"]["total"],
		                  "bytes_per_event": round(r["bytes_per_event"], 2), "seconds": round(seconds, 2),
		                  "own_cpu_share": round(report["own_cost"]["cpu_ns"] / 1e9 / seconds, 3)}))
	PY
}
rows() { sed '$!s/$/,/'; }

echo '{'
if [ "$(id -u)" = 0 ]; then
	live() { # NAME PROGRAM ARGS…
		echo "\"$1\": ["
		for _ in $(seq "$ROUNDS"); do
			taskset -c 0 "$B/tests/programs/$2" "${@:3}" >/dev/null & target=$!
			sleep 0.5
			taskset -c 1 "$PS" record "$target" -q -d 5s -f -o "$T/live.psr" </dev/null
			kill "$target" 2>/dev/null; wait "$target" 2>/dev/null
			facts "$T/live.psr"
		done | rows
		echo '],'
	}
	live live_200k_probes steady_poller 100000 9
	live live_200k_recorder event_storm 270000
	[ "${2:-}" != live ] || { echo '"ended": "live only"}'; exit; }
	if command -v node >/dev/null && command -v wrk >/dev/null; then
		echo '"node_hello": ['
		node -e 'require("http").createServer((q, r) => r.end("hello")).listen(0, "127.0.0.1", function () { console.log(this.address().port) })' >"$T/port" & node=$!
		until [ -s "$T/port" ]; do sleep 0.05; done
		for connections in 1 16 64; do
			wrk -t1 -c$connections -d8 "http://127.0.0.1:$(cat "$T/port")/" >/dev/null 2>&1 & load=$!
			sleep 0.3
			"$PS" record "$node" -q -d 4s -f -o "$T/node.psr" </dev/null
			facts "$T/node.psr" | sed "s/{/{\"connections\": $connections, /"
			kill $load; wait $load 2>/dev/null
		done | rows
		kill $node
		echo '],'
	fi
fi

"$B/tests/bench/make_recording" "$T/hour.psr" 3600 5000 >"$T/events"
B=$B T=$T ROUNDS=$ROUNDS python3 - <<'PY'
import json, os, resource, subprocess, sys, time
ps, t, rounds = os.environ["B"] + "/pollscope", os.environ["T"], int(os.environ["ROUNDS"])
events = int(open(t + "/events").read())

def run(*args):
    """Seconds and the peak of memory (MiB), of a process of its own."""
    code = ("import resource, subprocess, sys, time; start = time.monotonic(); "
            "subprocess.run(sys.argv[1:], check=True, stdin=subprocess.DEVNULL, stdout=open('/dev/null', 'w')); "
            "print(time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)")
    return [float(word) for word in subprocess.run([sys.executable, "-c", code, *args], check=True, capture_output=True, text=True).stdout.split()]

def median(values):
    values = sorted(values)
    return {"median": round(values[len(values) // 2], 4), "min": round(values[0], 4), "max": round(values[-1], 4)}

hour = t + "/hour.psr"
opened = [run(ps, "replay", hour, "-n", "1")[0] for _ in range(rounds)]
report = [events / run(ps, "report", hour)[0] for _ in range(rounds)]
print('"hour": ' + json.dumps({"events": events, "bytes": os.path.getsize(hour), "replay_opens_s": median(opened),
                               "report_events_per_s": median(report)}) + ",")
exports = {}
for size, seconds in (("1M", 190), ("10M", 1900)):
    path = f"{t}/{size}.psr"
    count = int(subprocess.run([os.environ["B"] + "/tests/bench/make_recording", path, str(seconds), "5000"], check=True, capture_output=True, text=True).stdout)
    for form in ("perfetto", "chrome", "folded", "pprof", "csv", "json", "ctf", "openmetrics"):
        out = f"{t}/out.{form}"
        took, peak = run(ps, "export", path, "--to", form, "-o", out)
        exports.setdefault(form, {})[size] = {"events": count, "s": round(took, 2), "peak_mib": round(peak, 1)}
        subprocess.run(["rm", "-rf", out])
print('"exports": ' + json.dumps(exports))
PY
echo '}'
