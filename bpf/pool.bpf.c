/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Jobs of a thread pool, at the entries of the functions that submit, run and
 * deliver them. No return is probed: a job has finished when its thread wakes
 * the loop, which every job does once.
 *
 * The probes are in the processes that are watched and nowhere else. What a job
 * works on is read on the worker's thread, where it costs the loop nothing.
 */
#include "ids.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ps_probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sched_entity {
	__u64 sum_exec_runtime;
};
struct sched_info {
	unsigned long long run_delay;
};
struct task_struct___pool {
	struct sched_entity se;
	struct sched_info sched_info;
};
#pragma clang attribute pop

/* arguments of a function, in user space's order */
#if defined(__TARGET_ARCH_x86)
struct user_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};
#define ARG1(c) (((struct user_regs *)(c))->di)
#define ARG2(c) (((struct user_regs *)(c))->si)
#define ARG3(c) (((struct user_regs *)(c))->dx)
#define ARG4(c) (((struct user_regs *)(c))->cx)
#elif defined(__TARGET_ARCH_arm64)
struct user_regs {
	unsigned long x[31];
};
#define ARG1(c) (((struct user_regs *)(c))->x[0])
#define ARG2(c) (((struct user_regs *)(c))->x[1])
#define ARG3(c) (((struct user_regs *)(c))->x[2])
#define ARG4(c) (((struct user_regs *)(c))->x[3])
#endif

/* offsets in libuv's structs, set by the loader */
const volatile __u32 cfg_fs_work = 0, cfg_fs_type = 0, cfg_fs_path = 0, cfg_fs_file = 0;
/* from a job's struct uv__work to the function that its result goes to, by enum ps_pool_job; 0 = it always has one */
const volatile __s32 cfg_callback[PS_POOL_JOBS] = { 0 };
const volatile __u32 cfg_addrinfo_work = 0, cfg_addrinfo_host = 0;
const volatile __u32 cfg_work_loop = 0, cfg_loop_async = 0;
const volatile __u32 cfg_job_work = 0, cfg_job_cb = 0, cfg_job_bytes = 0;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PS_POOL_RING_BYTES);
} ring SEC(".maps");

/* Of a worker; it stays when its job has finished, and the next job takes its place: no bucket is locked, nothing allocated. */
struct held {
	__u64 work; /* 0 = none */
	__u64 started_ns, cpu_ns, delay_ns;
	__u64 async; /* the handle that tells the loop of finished jobs; 0 = could not be read */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PS_POOL_HELD);
	__type(key, __u32); /* tid */
	__type(value, struct held);
} holding SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_pool_counts);
} counts SEC(".maps");

static const __u32 zero_key = 0;

#define WHOLE sizeof(struct ps_pool_raw)
#define SHORT __builtin_offsetof(struct ps_pool_raw, text)

static __always_inline void count_hit(void)
{
	struct ps_pool_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(&count->hits, 1);
}

static __always_inline void count_record(bool sent)
{
	struct ps_pool_counts *count = bpf_map_lookup_elem(&counts, &zero_key);

	if (count)
		__sync_fetch_and_add(sent ? &count->sent : &count->lost, 1);
}

/* `bytes`: of the record, a constant; without its text where there is none. */
static __always_inline struct ps_pool_raw *begin(__u16 what, void *context, __u32 bytes)
{
	struct ps_pool_raw *raw;
	__u64 id = current_ids();

	count_hit();
	raw = bpf_ringbuf_reserve(&ring, bytes, 0);
	if (!raw) {
		count_record(false);
		return NULL;
	}
	__builtin_memset(raw, 0, bytes);
	raw->h.ts = bpf_ktime_get_ns();
	raw->h.tid = (__u32)id;
	raw->h.event = PS_RAW_WORK;
	raw->h.size = bytes;
	raw->tgid = id >> 32;
	raw->what = what;
	raw->job = (__u16)bpf_get_attach_cookie(context);
	raw->file = -1;
	return raw;
}

static __always_inline void send(struct ps_pool_raw *raw)
{
	count_record(true);
	bpf_ringbuf_submit(raw, BPF_RB_NO_WAKEUP);
}

static __always_inline void read_text(struct ps_pool_raw *raw, __u64 place)
{
	__u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (const void *)place);
	if (address)
		bpf_probe_read_user_str(raw->text, sizeof(raw->text), (const void *)address);
}

/* The object of Node around a uv_work_t: {vtable, Environment *, uv_work_t, const char *type}. */
static __always_inline void take_object(struct ps_pool_raw *raw, __u64 request)
{
	bpf_probe_read_user(&raw->object, sizeof(raw->object), (const void *)(request - 16));
	read_text(raw, request + cfg_job_bytes);
}

/* uv__work_submit(loop, work, kind, work function, done function) */
SEC("uprobe")
int on_work_submit(void *context)
{
	struct ps_pool_raw *raw = begin(PS_POOL_SUBMIT, context, SHORT);

	if (!raw)
		return 0;
	raw->work = ARG2(context);
	raw->kind = (__u32)ARG3(context);
	raw->fn = ARG4(context);
	send(raw);
	return 0;
}

/* uv_queue_work(loop, request, work function, done function) */
SEC("uprobe")
int on_queue_work(void *context)
{
	struct ps_pool_raw *raw = begin(PS_POOL_SUBMIT, context, WHOLE);
	__u64 request = ARG2(context);

	if (!raw)
		return 0;
	raw->work = request + cfg_job_work;
	raw->fn = ARG3(context);
	take_object(raw, request);
	send(raw);
	return 0;
}

static __always_inline void hold(__u64 work, __u64 now, __u32 tid)
{
	struct task_struct___pool *task = (void *)bpf_get_current_task();
	struct held fresh = { .cpu_ns = PS_UNKNOWN, .delay_ns = PS_UNKNOWN }, *held;

	held = bpf_map_lookup_elem(&holding, &tid);
	if (!held) {
		bpf_map_update_elem(&holding, &tid, &fresh, BPF_ANY);
		held = bpf_map_lookup_elem(&holding, &tid);
	}
	if (!held)
		return;
	held->work = work;
	held->started_ns = now;
	held->async = 0;
	bpf_probe_read_user(&held->async, sizeof(held->async), (const void *)(work + cfg_work_loop));
	if (held->async)
		held->async += cfg_loop_async;
	held->cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	if (bpf_core_field_exists(task->sched_info))
		held->delay_ns = BPF_CORE_READ(task, sched_info.run_delay);
}

/* Without a callback the caller runs the job itself, on its own thread: no job of the pool. */
static __always_inline bool is_synchronous(__u64 work, __u64 job)
{
	__u64 callback = 1;

	/* the bound must be seen on the very register that is the index */
	asm volatile("" : "+r"(job));
	if (job >= PS_POOL_JOBS || !cfg_callback[job])
		return false;
	bpf_probe_read_user(&callback, sizeof(callback), (const void *)(work + (__s64)cfg_callback[job]));
	return !callback;
}

/* uv__fs_work(work) and the like, on the worker's thread */
SEC("uprobe")
int on_start(void *context)
{
	__u64 work = ARG1(context), request;
	struct ps_pool_raw *raw;

	if (is_synchronous(work, bpf_get_attach_cookie(context))) {
		count_hit();
		return 0;
	}
	raw = begin(PS_POOL_START, context, WHOLE);
	/* that it runs is kept even when there is no room to tell */
	if (!raw) {
		hold(work, bpf_ktime_get_ns(), (__u32)current_ids());
		return 0;
	}
	raw->work = work;
	if (raw->job == PS_POOL_FS) {
		request = work - cfg_fs_work;
		bpf_probe_read_user(&raw->fs_type, sizeof(raw->fs_type), (const void *)(request + cfg_fs_type));
		bpf_probe_read_user(&raw->file, sizeof(raw->file), (const void *)(request + cfg_fs_file));
		read_text(raw, request + cfg_fs_path);
	} else if (raw->job == PS_POOL_ADDRINFO) {
		read_text(raw, work - cfg_addrinfo_work + cfg_addrinfo_host);
	} else if (raw->job == PS_POOL_USER) {
		request = work - cfg_job_work;
		bpf_probe_read_user(&raw->fn, sizeof(raw->fn), (const void *)(request + cfg_job_cb));
		take_object(raw, request);
	}
	hold(work, raw->h.ts, raw->h.tid);
	send(raw);
	return 0;
}

/* uv_async_send(handle): of the loop's own handle for it, on a thread that holds a job, it is the end of the job */
SEC("uprobe")
int on_async_send(void *context)
{
	__u32 tid = (__u32)current_ids();
	struct held *held = bpf_map_lookup_elem(&holding, &tid);
	struct task_struct___pool *task = (void *)bpf_get_current_task();
	struct ps_pool_raw *raw;

	if (!held || !held->work || (held->async && held->async != ARG1(context))) {
		count_hit();
		return 0;
	}
	raw = begin(PS_POOL_FINISH, context, SHORT);
	if (raw) {
		raw->work = held->work;
		raw->since_ns = held->started_ns;
		raw->cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime) - held->cpu_ns;
		raw->runnable_ns = PS_UNKNOWN;
		if (bpf_core_field_exists(task->sched_info))
			raw->runnable_ns = BPF_CORE_READ(task, sched_info.run_delay) - held->delay_ns;
		send(raw);
	}
	held->work = 0;
	return 0;
}

/* uv__fs_done(work, status) and the like, on the loop's thread */
SEC("uprobe")
int on_done(void *context)
{
	struct ps_pool_raw *raw = begin(PS_POOL_DELIVER, context, SHORT);

	if (!raw)
		return 0;
	raw->work = ARG1(context);
	raw->status = (__s32)ARG2(context);
	send(raw);
	return 0;
}
