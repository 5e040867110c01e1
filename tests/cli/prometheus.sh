#!/usr/bin/env bash
# A real Prometheus scrapes serve on a live node; every expression of the
# dashboard and of the alerts is asked, and returns the numbers that stat has.
# PROMETHEUS_SECONDS=60 for a whole minute.
# limit: 120
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
prometheus=$(program prometheus) && promtool=$(program promtool) || skip "Debian's prometheus could not be unpacked"
seconds=${PROMETHEUS_SECONDS:-12}
"$promtool" check rules examples/metrics/alerts.yml >"$T/lint" 2>&1 || fail "alerts.yml: $(cat "$T/lint")"
"$promtool" check config --syntax-only examples/metrics/prometheus.yml >"$T/lint" 2>&1 || fail "prometheus.yml: $(cat "$T/lint")"
if command -v systemd-analyze >/dev/null; then
	sed "s,/usr/local/bin/pollscope,$PWD/$PS," examples/metrics/pollscope-serve.service >"$T/pollscope-serve.service"
	systemd-analyze verify --man=no "$T/pollscope-serve.service" >"$T/lint" 2>&1 || fail "unit: $(cat "$T/lint")"
	[ ! -s "$T/lint" ] || fail "unit: $(cat "$T/lint")"
fi

# 60 ms of work each 400 ms, files through the pool, timers
"$node" -e '
const fs = require("fs");
setInterval(() => { const end = Date.now() + 60; while (Date.now() < end); }, 400);
setInterval(() => fs.stat("/", () => {}), 20);
console.log("ready");' >"$T/node" & target=$!; pids+=("$target")
until_ok 10 test -s "$T/node" || fail "node did not start"
mkfifo "$T/ready"
$PS serve --listen 127.0.0.1:0 --ready-fd 3 "$target" 2>"$T/err" 3>"$T/ready" & serve=$!; pids+=("$serve")
head -c 1 "$T/ready" >/dev/null
at=$(sed -n 's,.*http://\([^/]*\)/.*,\1,p' "$T/err")
[ -n "$at" ] || fail "serve: $(cat "$T/err")"
curl -s "http://$at/metrics" | "$promtool" check metrics >"$T/lint" 2>&1 || fail "promtool: $(cat "$T/lint")"

port=$(free_port)
cat >"$T/prometheus.yml" <<YML
global: { scrape_interval: 1s, evaluation_interval: 2s }
scrape_configs: [ { job_name: pollscope, static_configs: [ { targets: ['$at'] } ] } ]
rule_files: ['$PWD/examples/metrics/alerts.yml']
YML
"$prometheus" --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/tsdb" --web.listen-address="127.0.0.1:$port" \
	--log.level=error >"$T/prometheus.log" 2>&1 & pids+=($!)
until_ok 20 curl -sf "http://127.0.0.1:$port/-/ready" || fail "prometheus does not start: $(tail -5 "$T/prometheus.log")"
scrapes() { # how many have succeeded so far
	curl -s "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=sum(count_over_time(up[10m]))" |
		python3 -c 'import json, sys; r = json.load(sys.stdin)["data"]["result"]; print(int(float(r[0]["value"][1])) if r else 0)'
}
first_scrape() { [ "$(scrapes)" -ge 1 ]; }
until_ok 20 first_scrape || fail "prometheus does not scrape: $(tail -5 "$T/prometheus.log")"
$PS stat -q -d "${seconds}s" --json "$target" >"$T/stat.json" 2>"$T/err2" || fail "stat: $(cat "$T/err2")"
python3 tests/data/prometheus.py "127.0.0.1:$port" examples/metrics/grafana.json examples/metrics/alerts.yml "$T/stat.json" "$seconds" \
	>"$T/out" 2>&1 || fail "the dashboard and stat: $(cat "$T/out")"
down=$(curl -s "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=sum(count_over_time(up[10m])) - sum(sum_over_time(up[10m]))" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["result"][0]["value"][1])')
[ "$down" = 0 ] || fail "$down scrapes failed"
[ "$(scrapes)" -ge $((seconds * 3 / 4)) ] || fail "only $(scrapes) scrapes in $seconds s"
[ -z "${V:-}" ] || cat "$T/out"
