/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tries of `doctor`, one row each. A try owns every descriptor it opens
 * and closes them before it returns, so nothing stays attached. Programs that
 * could run often (perf_event, sched_switch) return 0 at once.
 */
#include "bpf_try.h"
#include "proc.h"
#include "tracefs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct bpf_insn return_zero[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};
#define INSNS (sizeof(return_zero) / sizeof(*return_zero))

static int load(enum bpf_prog_type type, struct bpf_prog_load_opts *opts)
{
	int fd = bpf_prog_load(type, "ps_try", "Dual BSD/GPL", return_zero, INSNS, opts);
	return fd < 0 ? -errno : fd;
}

static int load_plain(enum bpf_prog_type type)
{
	struct bpf_prog_load_opts opts = { .sz = sizeof(opts) };
	return load(type, &opts);
}

/* A program that is bound to a kernel type: tracepoint, function or iterator. */
static int load_typed(enum bpf_attach_type attach, const char *target, const char **step)
{
	struct bpf_prog_load_opts opts = { .sz = sizeof(opts), .expected_attach_type = attach };
	*step = "find its target in the kernel's BTF";
	int id = libbpf_find_vmlinux_btf_id(target, attach);
	if (id <= 0)
		return id ? id : -ENOENT;
	opts.attach_btf_id = (uint32_t)id;
	*step = "load";
	return load(BPF_PROG_TYPE_TRACING, &opts);
}

static int close_all(int prog, int link)
{
	int err = link < 0 ? link : 0;
	if (link >= 0)
		close(link);
	close(prog);
	return err;
}

static int link_or_errno(int link)
{
	return link < 0 ? -errno : link;
}

static int try_typed_tracepoint(const char **step)
{
	int prog = load_typed(BPF_TRACE_RAW_TP, "sched_switch", step);
	if (prog < 0)
		return prog;
	*step = "attach";
	return close_all(prog, link_or_errno(bpf_raw_tracepoint_open(NULL, prog)));
}

static int try_raw_tracepoint(const char **step)
{
	*step = "load";
	int prog = load_plain(BPF_PROG_TYPE_RAW_TRACEPOINT);
	if (prog < 0)
		return prog;
	*step = "attach";
	return close_all(prog, link_or_errno(bpf_raw_tracepoint_open("sys_enter", prog)));
}

static int try_fentry(const char **step)
{
	int prog = load_typed(BPF_TRACE_FENTRY, "ep_poll_callback", step);
	if (prog < 0)
		return prog;
	*step = "attach";
	return close_all(prog, link_or_errno(bpf_raw_tracepoint_open(NULL, prog)));
}

static int try_iterator(const char **step)
{
	int prog = load_typed(BPF_TRACE_ITER, "task_file", step);
	if (prog < 0)
		return prog;
	*step = "attach";
	return close_all(prog, link_or_errno(bpf_link_create(prog, 0, BPF_TRACE_ITER, NULL)));
}

/* Takes over `event`, a perf event or -errno. */
static int attach_event(int prog, int event, const char **step)
{
	if (event < 0)
		return close_all(prog, event);
	*step = "attach";
	int err = ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) ? -errno : 0;
	close(event);
	close(prog);
	return err;
}

static int open_event(struct perf_event_attr *attr, pid_t pid)
{
	attr->size = sizeof(*attr);
	attr->disabled = 1;
	int fd = (int)syscall(SYS_perf_event_open, attr, pid, pid ? 0 : -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int try_sampling(const char **step)
{
	*step = "load";
	int prog = load_plain(BPF_PROG_TYPE_PERF_EVENT);
	if (prog < 0)
		return prog;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK, .freq = 1, .sample_freq = 99,
	};
	*step = "open the event";
	return attach_event(prog, open_event(&attr, 0), step);
}

/* The number in a file of sysfs, -errno. */
static int64_t number_in(const char *path)
{
	char text[32];
	ssize_t length = proc_read_file(path, text, sizeof(text));
	return length > 0 ? strtoll(text, NULL, 10) : length ? length : -EIO;
}

static int try_tracepoint(const char **step)
{
	*step = "open tracefs";
	int tracefs = tracefs_open();
	if (tracefs < 0)
		return tracefs;
	*step = "find its number in tracefs";
	int id = tracefs_tracepoint(tracefs, "syscalls", "sys_enter_epoll_pwait");
	if (id < 0) /* a kernel without system call tracepoints may have others */
		id = tracefs_tracepoint(tracefs, "sched", "sched_switch");
	close(tracefs);
	if (id < 0)
		return id;
	*step = "load";
	int prog = load_plain(BPF_PROG_TYPE_TRACEPOINT);
	if (prog < 0)
		return prog;
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .config = (uint64_t)id };
	*step = "open the event";
	return attach_event(prog, open_event(&attr, 0), step);
}

/* Both kinds of dynamic probe are perf events of a type that sysfs numbers. */
static int try_probe(const char *type_path, uint64_t name, uint64_t offset, const char **step)
{
	*step = "find the probe type";
	int64_t type = number_in(type_path);
	if (type < 0)
		return (int)type;
	*step = "load";
	int prog = load_plain(BPF_PROG_TYPE_KPROBE);
	if (prog < 0)
		return prog;
	struct perf_event_attr attr = { .type = (uint32_t)type, .config1 = name, .config2 = offset };
	*step = "open the probe";
	return attach_event(prog, open_event(&attr, 0), step);
}

static int try_kprobe(const char **step)
{
	return try_probe("/sys/bus/event_source/devices/kprobe/type", (uint64_t)(uintptr_t) "ep_poll_callback", 0,
			 step);
}

/* Never called: its first instruction is where the uprobe of the try goes. */
__attribute__((noinline, used)) static void probe_place(void)
{
	__asm__ volatile("nop; nop; nop; nop");
}

/* Where in this program's file probe_place() begins, -errno. */
static int64_t probe_offset(void)
{
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	int64_t offset = -ENOENT;
	uint64_t address = (uint64_t)(uintptr_t)probe_place;
	while (maps && offset < 0 && fgets(line, sizeof(line), maps)) {
		unsigned long long from, to, base;
		if (sscanf(line, "%llx-%llx %*s %llx", &from, &to, &base) == 3 && address >= from && address < to)
			offset = (int64_t)(address - from + base);
	}
	if (maps)
		fclose(maps);
	return offset;
}

static int try_uprobe(const char **step)
{
	*step = "find a place for it";
	int64_t offset = probe_offset();
	if (offset < 0)
		return (int)offset;
	return try_probe("/sys/bus/event_source/devices/uprobe/type", (uint64_t)(uintptr_t) "/proc/self/exe",
			 (uint64_t)offset, step);
}

static int try_ring(const char **step)
{
	*step = "create";
	int map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ps_try", 0, 0, 1u << 16, NULL);
	if (map < 0)
		return -errno;
	close(map);
	return 0;
}

static int try_btf(const char **step)
{
	*step = "read /sys/kernel/btf/vmlinux";
	return access("/sys/kernel/btf/vmlinux", R_OK) ? -errno : 0;
}

int proc_may_bpf(void)
{
	static int may = -1;
	if (may < 0) {
		int prog = load_plain(BPF_PROG_TYPE_RAW_TRACEPOINT);
		may = prog >= 0;
		if (prog >= 0)
			close(prog);
	}
	return may;
}

#define RUNS "tried: it loads and attaches"

const struct bpf_try bpf_tries[] = {
	{ "kernel types (BTF)", "tried: they can be read", "no BPF probe", 0, try_btf },
	{ "BPF ring buffer", "tried: it can be made", "no BPF probe", 0, try_ring },
	{ "poll probe (tracepoint)", RUNS, "a raw tracepoint does it", 1, try_tracepoint },
	{ "poll probe (raw tracepoint)", RUNS, "a classic tracepoint does it", 1, try_raw_tracepoint },
	{ "scheduler probe (BTF tracepoint)", RUNS, "no blocked and runnable time", 0, try_typed_tracepoint },
	{ "stall sampling (perf event)", RUNS, "no stacks of stalls on the CPU", 0, try_sampling },
	{ "poller's inside (file iterator)", RUNS, "what is registered from /proc, no ready list", 1, try_iterator },
	{ "runtime probes (uprobe)", RUNS, "no pool jobs of libuv programs", 0, try_uprobe },
	{ "waits and readiness (fentry)", RUNS, "waits by tracepoints, readiness of sockets only", 1, try_fentry },
	{ "ready latency (kprobe)", RUNS, "sockets only, no pipes and eventfds", 1, try_kprobe },
	{ NULL },
};
