/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From ready to dispatched: when the kernel had a descriptor ready, when a wait
 * returned it, and when the loop's thread first used it.
 *
 * Readiness is stamped where it happens: at sk_data_ready for sockets, or, where
 * the kernel allows fentry, at ep_poll_callback for whatever is registered. A
 * wait gives back the events at its exit; the first receive or accept after it
 * is the use, timed at its end: descriptors of loops do not block. A stamp that
 * the thread has read past is taken back, so that it cannot be mistaken for the
 * next one's.
 *
 * Use is seen in one of two ways. Where the kernel has tracepoints in socket I/O,
 * these and the ends of a few seldom calls; what is no socket is then not seen in use. Elsewhere on_exit, which
 * runs for every system call of the machine and must see at once that a thread
 * is no loop.
 *
 * What is registered is told by user space at first and after each rest, by
 * epoll_ctl() later.
 */
#include "kernel_calls.h"
#include "kernel_files.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "loop_filter.h"
#include "ps_probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PS_READY_RING_BYTES);
} turns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PS_READY_FDS);
	__type(key, struct ps_ready_key);
	__type(value, struct ps_ready_fd);
} fds SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PS_READY_FDS);
	__type(key, struct ps_ready_origin);
	__type(value, struct ps_ready_stamp);
} stamps SEC(".maps");

/* Only of descriptors whose data is not their number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PS_READY_FDS);
	__type(key, struct ps_ready_data);
	__type(value, __s32);
} by_data SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PS_READY_POLLERS);
	__type(key, struct ps_ready_key);
	__type(value, __u64); /* address of the instance */
} pollers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ps_ready_stats);
} stats SEC(".maps");

const volatile unsigned long long cfg_socket_f_op = 0;
const volatile bool cfg_by_item = false; /* stamps are ep_poll_callback's */
const volatile bool cfg_by_socket = false; /* use is seen in socket I/O, not at the exit of all calls */

/* One bit per sock by its address: says "certainly none of ours" before any lookup. Bits are never taken back. */
unsigned long long sock_bits[PS_SOCK_BITS / 64];

/* Since when we follow; 0 = we rest. What was noted before it counts for nothing. */
unsigned long long active_since_ns;

/* Of the turns of a descriptor one in this many + 1 is told; all are counted. */
unsigned long long turn_mask;

static __always_inline void count_hit(void)
{
	struct ps_ready_stats *count = bpf_map_lookup_elem(&stats, &zero_key);

	if (count)
		count->hits++;
}

static __always_inline void count_record(bool sent)
{
	struct ps_ready_stats *count = bpf_map_lookup_elem(&stats, &zero_key);

	if (count)
		__sync_fetch_and_add(sent ? &count->sent : &count->lost, 1);
}

static __always_inline bool may_be_ours(__u64 sock)
{
	__u32 bit = ps_sock_bit(sock);

	return sock_bits[bit / 64 % (PS_SOCK_BITS / 64)] >> (bit % 64) & 1;
}

/* ---- readiness ---- */

static __always_inline void stamp_now(const struct ps_ready_origin *origin)
{
	struct ps_ready_stamp *stamp = bpf_map_lookup_elem(&stamps, origin);

	if (stamp && stamp->since_ns < active_since_ns) {
		stamp->since_ns = bpf_ktime_get_ns();
		count_hit();
	}
}

/* raw, not typed: an address that may be counted with, not followed */
SEC("raw_tp/sk_data_ready")
int BPF_PROG(on_data_ready, const struct sock *sk)
{
	const struct ps_ready_origin origin = { (__u64)sk, 0 };

	if (active_since_ns && may_be_ours(origin.object))
		stamp_now(&origin);
	return 0;
}

SEC("fentry/ep_poll_callback")
int BPF_PROG(on_poll_callback, struct wait_queue_entry *wait, unsigned int mode, int sync, void *key)
{
	struct eppoll_entry *entry = (void *)((char *)wait - bpf_core_field_offset(struct eppoll_entry, wait));
	struct epitem *item = BPF_CORE_READ(entry, base);
	struct ps_ready_origin origin = { 0 };

	/* not told what it is, or something to read */
	if (!active_since_ns)
		return 0;
	if (key && !((__u64)key & (EVENT_IN | EVENT_RDHUP | EVENT_HUP | EVENT_ERR)))
		return 0;
	origin.object = (__u64)BPF_CORE_READ(item, ep);
	origin.sub = (__u64)(__u32)BPF_CORE_READ(item, ffd.fd) + 1;
	stamp_now(&origin);
	return 0;
}

/* ---- what is registered ---- */

static __always_inline void forget(const struct ps_ready_key *key, struct ps_ready_fd *fd)
{
	struct ps_ready_data data = { fd->data, key->tgid, fd->poller_fd };
	const struct ps_ready_origin sock = { fd->sock, 0 };

	if ((__s32)fd->data != key->fd)
		bpf_map_delete_elem(&by_data, &data);
	bpf_map_delete_elem(&stamps, &fd->origin);
	if (cfg_by_item && fd->sock)
		bpf_map_delete_elem(&stamps, &sock);
	bpf_map_delete_elem(&fds, key);
}

/* Counts are added to by the loop's thread alone; what was told of them is kept by who tells. */
#define TAKE(name)                                                                                                     \
	do {                                                                                                           \
		out->name = fd->count.name - fd->told.name;                                                            \
		fd->told.name += out->name;                                                                            \
	} while (0)

/* Counts that nobody was told of yet. */
static __always_inline void send_counts(const struct ps_ready_key *key, struct ps_ready_fd *fd,
					__u32 closed /* or PS_READY_CLOSED */)
{
	struct ps_ready_counts *out;

	if (!closed && fd->count.ready == fd->told.ready && fd->count.dispatched == fd->told.dispatched &&
	    fd->count.eagain == fd->told.eagain && fd->count.read_bytes == fd->told.read_bytes &&
	    fd->count.written_bytes == fd->told.written_bytes)
		return;
	out = bpf_ringbuf_reserve(&turns, sizeof(*out), 0);
	if (!out) {
		count_record(false);
		return;
	}
	out->h = (struct ps_record){ bpf_ktime_get_ns(), fd->tid, PS_READY_COUNTS, sizeof(*out) };
	out->tgid = key->tgid;
	out->poller_fd = fd->poller_fd;
	out->fd = key->fd;
	out->identity = fd->identity;
	TAKE(ready);
	TAKE(dispatched);
	TAKE(empty_wakeups);
	TAKE(eagain);
	out->flags = closed | (cfg_by_socket && !fd->sock ? PS_READY_USE_UNSEEN : 0);
	TAKE(read_bytes);
	TAKE(written_bytes);
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
	count_record(true);
}

static __always_inline struct file *file_of(__s32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file **table = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;

	if (fd < 0 || (__u32)fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), table + fd);
	return file;
}

static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket;

	if ((__u64)BPF_CORE_READ(file, f_op) != cfg_socket_f_op)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

/* 1: there is something to read or accept; 0: nothing, or not known. */
static __always_inline bool has_unread(struct sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)sk;

	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		return BPF_CORE_READ(sk, sk_ack_backlog) || BPF_CORE_READ(sk, sk_receive_queue.qlen);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == FAMILY_UNIX)
		return BPF_CORE_READ(sk, sk_receive_queue.qlen);
	return BPF_CORE_READ(sk, sk_protocol) == PROTOCOL_TCP &&
	       BPF_CORE_READ(tcp, rcv_nxt) != BPF_CORE_READ(tcp, copied_seq);
}

static __always_inline void enrol(const struct ps_ready_key *key, __s32 poller_fd, __u64 poller, __u64 data)
{
	struct file *file = file_of(key->fd);
	struct ps_ready_fd fresh = { .data = data, .poller_fd = poller_fd, .enrolled_ns = bpf_ktime_get_ns() };
	struct ps_ready_data by = { data, key->tgid, poller_fd };
	struct ps_ready_stamp stamp = { .tgid = key->tgid, .fd = key->fd };
	struct ps_ready_origin sock_origin = { 0 };
	struct sock *sk;

	if (!file)
		return;
	sk = sock_of(file);
	fresh.identity = ps_file_identity((__u64)file, BPF_CORE_READ(file, f_inode, i_ino));
	sock_origin.object = fresh.sock = (__u64)sk;
	fresh.origin = sock_origin;
	if (cfg_by_item)
		fresh.origin = (struct ps_ready_origin){ poller, (__u64)(__u32)key->fd + 1 };
	fresh.tid = current_ids();
	if (sk) {
		__u32 bit = ps_sock_bit((__u64)sk);

		__sync_fetch_and_or(&sock_bits[bit / 64 % (PS_SOCK_BITS / 64)], 1ull << (bit % 64));
	}
	if (sk && has_unread(sk))
		stamp.since_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&fds, key, &fresh, BPF_ANY);
	if (fresh.origin.object)
		bpf_map_update_elem(&stamps, &fresh.origin, &stamp, BPF_ANY);
	if (cfg_by_item && sk)
		bpf_map_update_elem(&stamps, &sock_origin, &stamp, BPF_ANY);
	if ((__s32)data != key->fd)
		bpf_map_update_elem(&by_data, &by, &key->fd, BPF_ANY);
}

static __always_inline void on_control(__u32 tgid, __s32 poller_fd, __u32 op, __s32 number, __u64 address)
{
	const struct ps_ready_key poller_key = { tgid, poller_fd }, key = { tgid, number };
	__u64 *poller = bpf_map_lookup_elem(&pollers, &poller_key);
	struct ps_ready_fd *fd;
	struct user_event event;

	if (!poller)
		return;
	fd = bpf_map_lookup_elem(&fds, &key);
	if (fd && op == EPOLL_DEL) {
		send_counts(&key, fd, 0);
		forget(&key, fd);
		return;
	}
	if (op == EPOLL_DEL || bpf_probe_read_user(&event, sizeof(event), (void *)address))
		return;
	if (fd && op != EPOLL_ADD && fd->data == event.data)
		return; /* it waits for something else now: all the same to us */
	if (fd) {
		send_counts(&key, fd, 0);
		forget(&key, fd);
	}
	enrol(&key, poller_fd, *poller, event.data);
}

/* ---- what a wait returned ---- */

struct returned {
	__u64 address;
	__u64 now;
	__u32 tgid, tid;
	__s32 poller_fd;
	__u32 count;
};

static __always_inline struct ps_ready_fd *find_returned(const struct returned *returned, __u64 data)
{
	const struct ps_ready_data by = { data, returned->tgid, returned->poller_fd };
	struct ps_ready_key key = { returned->tgid, (__s32)data };
	struct ps_ready_fd *fd = bpf_map_lookup_elem(&fds, &key);
	__s32 *number;

	if (fd && fd->data == data && fd->poller_fd == returned->poller_fd)
		return fd;
	number = bpf_map_lookup_elem(&by_data, &by);
	if (!number)
		return NULL;
	key.fd = *number;
	return bpf_map_lookup_elem(&fds, &key);
}

static long take_returned(__u32 index, struct returned *returned)
{
	struct user_event event;
	struct ps_ready_fd *fd;
	struct ps_ready_stamp *stamp;

	if (index >= returned->count)
		return 1;
	if (bpf_probe_read_user(&event, sizeof(event), (void *)(returned->address + index * sizeof(event))))
		return 1;
	if (!(event.events & (EVENT_IN | EVENT_RDHUP | EVENT_HUP | EVENT_ERR)))
		return 0;
	fd = find_returned(returned, event.data);
	if (!fd)
		return 0;
	fd->count.ready++;
	fd->tid = returned->tid;
	fd->events = event.events;
	/* not used since the last return: that one still waits */
	if (fd->returned_ns && fd->returned_ns >= active_since_ns)
		return 0;
	stamp = bpf_map_lookup_elem(&stamps, &fd->origin);
	fd->ready_ns =
		stamp && stamp->since_ns >= active_since_ns && stamp->since_ns <= returned->now ? stamp->since_ns : 0;
	if (stamp)
		stamp->since_ns = 0;
	fd->returned_ns = returned->now;
	return 0;
}

/* ---- the use ---- */

static __always_inline void send_turn(const struct ps_ready_key *key, struct ps_ready_fd *fd, __u64 now)
{
	struct ps_ready_turn *out = bpf_ringbuf_reserve(&turns, sizeof(*out), 0);

	if (!out) {
		count_record(false);
		return;
	}
	out->h = (struct ps_record){ now, fd->tid, PS_READY_TURN, sizeof(*out) };
	out->tgid = key->tgid;
	out->poller_fd = fd->poller_fd;
	out->fd = key->fd;
	out->events = fd->events;
	out->identity = fd->identity;
	out->ready_ns = fd->ready_ns;
	out->returned_ns = fd->returned_ns;
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
	count_record(true);
}

/* What was read is not ready any more; what came meanwhile stays. */
static __always_inline void read_past(struct ps_ready_fd *fd, long result, bool is_drained)
{
	struct ps_ready_stamp *stamp;

	if (!fd->origin.object || (result <= 0 && result != ERROR_AGAIN))
		return;
	if (!is_drained && fd->sock && has_unread((struct sock *)fd->sock))
		return;
	stamp = bpf_map_lookup_elem(&stamps, &fd->origin);
	if (stamp)
		stamp->since_ns = 0;
}

/* `stamp`: NULL = it must be looked for. */
static __always_inline void on_use(const struct ps_ready_key *key, long result, bool accepts, bool is_drained,
				   struct ps_ready_stamp *stamp)
{
	struct ps_ready_fd *fd = bpf_map_lookup_elem(&fds, key);

	if (!fd)
		return;
	count_hit();
	if (result > 0 && !accepts)
		fd->count.read_bytes += result;
	if (result == ERROR_AGAIN)
		fd->count.eagain++;
	if (fd->returned_ns && fd->returned_ns >= active_since_ns) {
		fd->count.dispatched++;
		if (result == ERROR_AGAIN)
			fd->count.empty_wakeups++;
		if (!(fd->count.dispatched & turn_mask))
			send_turn(key, fd, bpf_ktime_get_ns());
		fd->returned_ns = 0;
	}
	if (stamp && !cfg_by_item)
		stamp->since_ns = 0; /* what is left unread is ready since nobody knows when */
	else
		read_past(fd, result, is_drained);
}

static __always_inline void on_output(const struct ps_ready_key *key, long result)
{
	struct ps_ready_fd *fd;

	if (result <= 0 && result != ERROR_AGAIN)
		return;
	fd = bpf_map_lookup_elem(&fds, key);
	if (!fd)
		return;
	count_hit();
	if (result > 0)
		fd->count.written_bytes += result;
	else
		fd->count.eagain++;
}

static __always_inline void on_close(const struct ps_ready_key *key)
{
	struct ps_ready_fd *fd = bpf_map_lookup_elem(&fds, key);

	if (!fd)
		return;
	count_hit();
	send_counts(key, fd, PS_READY_CLOSED);
	forget(key, fd);
}

static __always_inline void on_wait(__u32 tgid, __u32 tid, __s32 poller_fd, __u64 address, long result)
{
	struct returned returned = { .address = address, .tgid = tgid, .tid = tid, .poller_fd = poller_fd };
	const struct ps_ready_key key = { tgid, poller_fd };

	if (!bpf_map_lookup_elem(&pollers, &key))
		return;
	count_hit();
	returned.now = bpf_ktime_get_ns();
	returned.count = result < PS_READY_EVENTS ? result : PS_READY_EVENTS;
	bpf_loop(returned.count, take_returned, &returned, 0);
}

/*
 * ---- seldom calls; the rest by the tracepoints of socket I/O ----
 *
 * At the end of the kernel's own functions, else by the typed tracepoint, which
 * makes every syscall of the machine longer, but comes and goes at once: a classic
 * one leaves only when the kernel has waited for all CPUs, tens of milliseconds
 * each. Waits end in one function that is not the poll group's: where a program
 * comes to a function or leaves it, the kernel runs none at the end of the calls
 * that are in it just then.
 */

struct call {
	__u64 args[3];
	__u64 fourth;
	__u32 tgid, tid;
};

/* The system call that ends, if a loop's thread made it. */
static __always_inline bool take_call(const struct pt_regs *regs, struct call *call)
{
	__u64 id = current_ids();
	uint64_t args[3];

	if (!may_be_loop(id))
		return false;
	regs_args(regs, args);
	*call = (struct call){ { args[0], args[1], args[2] }, regs_fourth(regs), id >> 32, id };
	return true;
}

SEC("fexit/do_epoll_wait")
int BPF_PROG(on_wait_end, int fd, void *events, int room, void *timeout, int result)
{
	__u64 id = current_ids();

	if (active_since_ns && result > 0 && may_be_loop(id))
		on_wait(id >> 32, id, fd, (__u64)events, result);
	return 0;
}

static __always_inline int accept_exit(const struct pt_regs *regs, long result)
{
	struct ps_ready_key key = { 0 };
	struct call call;

	if (!active_since_ns || !take_call(regs, &call))
		return 0;
	key.tgid = call.tgid;
	key.fd = call.args[0];
	on_use(&key, result ? result : 1, true, result == ERROR_AGAIN, NULL);
	return 0;
}

static __always_inline int control_exit(const struct pt_regs *regs, long result)
{
	struct call call;

	if (!result && take_call(regs, &call))
		on_control(call.tgid, call.args[0], call.args[1], call.args[2], call.fourth);
	return 0;
}

#define CALL(name, exit)                                                                                               \
	SEC("fexit")                                                                                                   \
	int BPF_PROG(on_##name##_end, const struct pt_regs *regs, long result)                                         \
	{                                                                                                              \
		return exit(regs, result);                                                                             \
	}

CALL(accept, accept_exit)
CALL(accept4, accept_exit)
CALL(epoll_ctl, control_exit)

SEC("tp_btf/sys_exit")
int BPF_PROG(on_seldom_exit, struct pt_regs *regs, long result)
{
	struct call call;

	/* the number first: most calls of the machine are none of these */
	switch (regs_syscall(regs)) {
	case SYS_EPOLL_WAIT:
	case SYS_EPOLL_PWAIT:
	case SYS_EPOLL_PWAIT2:
		if (active_since_ns && result > 0 && take_call(regs, &call))
			on_wait(call.tgid, call.tid, call.args[0], call.args[1], result);
		return 0;
	case SYS_ACCEPT:
	case SYS_ACCEPT4:
		return accept_exit(regs, result);
	case SYS_EPOLL_CTL:
		return control_exit(regs, result);
	}
	return 0;
}

/* The descriptor of a sock, if the current thread is of its process. */
static __always_inline struct ps_ready_stamp *find_key(struct sock *sk, struct ps_ready_key *key)
{
	const struct ps_ready_origin origin = { (__u64)sk, 0 };
	__u64 id = current_ids();
	struct ps_ready_stamp *stamp;

	if (!active_since_ns || !may_be_loop(id))
		return NULL;
	stamp = bpf_map_lookup_elem(&stamps, &origin);
	if (!stamp || stamp->tgid != id >> 32)
		return NULL;
	key->tgid = stamp->tgid;
	key->fd = stamp->fd;
	return stamp;
}

SEC("raw_tp/sock_recv_length")
int BPF_PROG(on_receive, struct sock *sk, int result, int flags)
{
	struct ps_ready_key key = { 0 };
	struct ps_ready_stamp *stamp = find_key(sk, &key);

	if (stamp && !(flags & MESSAGE_PEEK))
		on_use(&key, result, false, result == ERROR_AGAIN, stamp);
	return 0;
}

SEC("raw_tp/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int result, int flags)
{
	struct ps_ready_key key = { 0 };

	if (find_key(sk, &key))
		on_output(&key, result);
	return 0;
}

/* ---- all calls, by the typed tracepoint ---- */

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *regs, long result)
{
	__u64 id = current_ids();
	struct ps_ready_key key = { .tgid = id >> 32 };
	uint64_t args[3];
	long number;

	if (!may_be_loop(id))
		return 0;
	number = regs_syscall(regs);
	if (!active_since_ns && number != SYS_CLOSE && number != SYS_EPOLL_CTL)
		return 0;
	regs_args(regs, args);
	key.fd = args[0];
	switch (number) {
	case SYS_EPOLL_WAIT:
	case SYS_EPOLL_PWAIT:
	case SYS_EPOLL_PWAIT2:
		if (result > 0)
			on_wait(key.tgid, id, key.fd, args[1], result);
		break;
	case SYS_READ:
	case SYS_RECVFROM:
		on_use(&key, result, false, result == ERROR_AGAIN || (__u64)result < args[2], NULL);
		break;
	case SYS_READV:
	case SYS_RECVMSG:
		on_use(&key, result, false, result == ERROR_AGAIN, NULL);
		break;
	case SYS_ACCEPT:
	case SYS_ACCEPT4:
		on_use(&key, result ? result : 1, true, result == ERROR_AGAIN, NULL);
		break;
	case SYS_WRITE:
	case SYS_WRITEV:
	case SYS_SENDTO:
	case SYS_SENDMSG:
	case SYS_SENDFILE:
		on_output(&key, result);
		break;
	case SYS_CLOSE:
		on_close(&key);
		break;
	case SYS_EPOLL_CTL:
		if (!result)
			on_control(key.tgid, key.fd, args[1], args[2], regs_fourth(regs));
		break;
	}
	return 0;
}

/* ---- told once a second ---- */

struct bpf_map;

static long flush_one(struct bpf_map *map, struct ps_ready_key *key, struct ps_ready_fd *fd, void *context)
{
	send_counts(key, fd, 0);
	return 0;
}

SEC("syscall")
int on_flush(void *context)
{
	bpf_for_each_map_elem(&fds, flush_one, NULL, 0);
	return 0;
}
