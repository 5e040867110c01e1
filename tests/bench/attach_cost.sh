#!/usr/bin/env bash
# What watching costs the target: requests/s, and the server's CPU time per
# request, of a saturated node hello server with the tool and without it, in
# turns in one run; beside it a bpftrace script of equal content, perf trace and
# strace -c. Shared machines change their speed by a quarter and more from one
# second to the next: so each time with the tool is held against the two without
# it around it, and how far the median may be off is told with it. Prints JSON:
# ratios with/without (1 = free).
#   The server has the first CPU for itself, load and tools share the others:
# where they take turns on the server's CPU (PIN=0), what is measured is how the
# scheduler moves them.
#   PAIRS=24 SECONDS_EACH=2 tests/bench/attach_cost.sh
#   TOOLS="pollscope everything" tests/bench/attach_cost.sh
#   ARGS="--without ready" TOOLS=pollscope tests/bench/attach_cost.sh
. tests/lib.sh
need_root
node=$(program node) || skip "node is not installed"
wrk=$(program wrk) || skip "wrk is not installed"
pairs=${PAIRS:-24} each=${SECONDS_EACH:-2}
last=$(($(nproc) - 1))
own=() others=()
[ "$last" -gt 0 ] && [ "${PIN:-1}" = 1 ] && own=(taskset -c 0) others=(taskset -c "1-$last")

port=$(free_port)
"${own[@]}" "$node" -e "require('http').createServer((q, s) => s.end('hello')).listen($port, '127.0.0.1')" & pids+=($!)
target=$!
serves() { curl -s "http://127.0.0.1:$port/"; }
until_ok 10 serves >/dev/null || fail "node does not serve"
load() { "${others[@]}" "$wrk" -t1 -c64 -d"$1"s "http://127.0.0.1:$port/"; }
load 1 >/dev/null

# nanoseconds on a CPU, of all its threads; as the scheduler counts them, so a time slice is not rounded
cpu() { awk '{ ns += $1 } END { printf "%.0f\n", ns }' /proc/"$target"/task/*/schedstat; }
# prints: requests/s, CPU time per request
measure() {
	local before after
	before=$(cpu)
	load "$each" >"$T/wrk.out"
	after=$(cpu)
	awk -v t=$((after - before)) '/requests in/ { n = $1 } /Requests\/sec/ { r = $2 } END { print r, t / n }' "$T/wrk.out"
}

# shellcheck disable=SC2086
watch_pollscope() { exec "${others[@]}" "$PS" record --force -o /dev/null ${ARGS-} "$target"; }
watch_everything() { exec "${others[@]}" "$PS" record --force -o /dev/null --exact-phases "$target"; }
# all its system calls, summed at the end
watch_perf() { exec "${others[@]}" perf trace -s -p "$target" -o /dev/null; }
watch_strace() { exec "${others[@]}" strace -c -f -o /dev/null -p "$target"; }
watch_bpftrace() {
	cat >"$T/equal.bt" <<BT
tracepoint:syscalls:sys_enter_epoll_pwait /pid == $target/ { @busy[tid] = hist(nsecs - @back[tid]); @in[tid] = nsecs; }
tracepoint:syscalls:sys_exit_epoll_pwait /pid == $target/ { @wait[tid] = hist(nsecs - @in[tid]); @back[tid] = nsecs; }
tracepoint:sched:sched_switch /args->prev_pid == $target/ { @off[args->prev_pid] = nsecs; }
tracepoint:sched:sched_switch /args->next_pid == $target && @off[args->next_pid]/ { @offcpu = hist(nsecs - @off[args->next_pid]); }
BT
	exec "${others[@]}" unshare -m sh -c 'mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null; exec "$@"' sh bpftrace -q "$T/equal.bt"
}

# with TOOL: measures while it watches
with() {
	local tool
	"watch_$1" >"$T/$1.out" 2>&1 & tool=$!
	pids+=("$tool")
	sleep 1.5 # until it has attached
	kill -0 "$tool" 2>/dev/null || fail "$1 ended: $(head -c 300 "$T/$1.out")"
	measure >"$T/with"
	kill "$tool"
	wait "$tool" 2>/dev/null
}

bench() {
	local before
	: >"$T/$1"
	before=$(measure)
	for _ in $(seq "$pairs"); do
		with "$1"
		measure >"$T/without"
		echo "$before $(cat "$T/with") $(cat "$T/without")" >>"$T/$1"
		before=$(cat "$T/without")
	done
}

tools=()
for tool in ${TOOLS-pollscope everything bpftrace perf strace}; do
	case $tool in
	pollscope | everything) tools+=("$tool") ;;
	*) program "$tool" >/dev/null && tools+=("$tool") ;;
	esac
done
for tool in "${tools[@]}"; do bench "$tool"; done
python3 - "$T" "${tools[@]}" <<'PY'
import json, statistics, sys
def told(ratios):
    quarters = statistics.quantiles(ratios, n=4)
    # of the median, by the spread of the middle half
    error = (quarters[2] - quarters[0]) / 1.349 * 1.253 / len(ratios) ** 0.5
    return {'median': round(statistics.median(ratios), 3), 'error': round(error, 3), 'quarters': [round(quarters[0], 3), round(quarters[2], 3)]}
out = {}
for tool in sys.argv[2:]:
    rows = [list(map(float, line.split())) for line in open(f'{sys.argv[1]}/{tool}')]
    out[tool] = {'requests': told([2 * r[2] / (r[0] + r[4]) for r in rows]),
                 'cpu_per_request': told([(r[1] + r[5]) / 2 / r[3] for r in rows]), 'times': len(rows)}
print(json.dumps(out, indent=1))
PY
