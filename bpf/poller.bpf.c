/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The inside of one epoll instance: what is registered, what is ready and who
 * waits, by an iterator over the open files of its process.
 *
 * A call walks a part of the tree in order, at most `limit` items, so that no
 * CPU is held for long; the next call goes on behind the last item, which it
 * finds by its key. The tree may change meanwhile and the lock is not taken:
 * every pointer is read with care, an item that does not point back to its
 * poller ends the walk, and the walk is bounded whatever it meets. (Structs of
 * our own must not stand inside BPF_CORE_READ(): they would be relocated too.)
 *
 * User space sets `request` and runs the iterator; what was found is in
 * `answer`, the items are in the ring.
 */
#include "kernel_files.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "ids.h"
#include "ps_probe.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PS_POLLER_RING_BYTES);
} items SEC(".maps");

struct ps_poller_request request;
struct ps_poller_answer answer;

enum walk_state { WALK_FIRST, WALK_LEFTMOST, WALK_ITEM, WALK_UP };

struct walk {
	struct eventpoll *ep;
	struct rb_node *node; /* where we are */
	struct rb_node *best; /* WALK_FIRST: the least one behind the cursor so far */
	__u32 state; /* enum walk_state */
	__u32 depth, best_depth;
	__u32 sent;
};

static __always_inline struct epitem *item_of(struct rb_node *node)
{
	return (struct epitem *)((char *)node - bpf_core_field_offset(struct epitem, rbn));
}

static __always_inline void take_addresses(struct ps_poller_item *out, struct sock *sk)
{
	out->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	out->peer_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (out->family == FAMILY_IPV4) {
		*(__u32 *)out->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)out->peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		bpf_core_read(out->local, sizeof(out->local), &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(out->peer, sizeof(out->peer), &sk->__sk_common.skc_v6_daddr);
	}
}

static __always_inline void take_socket(struct ps_poller_item *out, struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);

	out->object = (__u64)sk;
	out->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	out->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	out->protocol = BPF_CORE_READ(sk, sk_protocol);
	if (out->family == FAMILY_IPV4 || out->family == FAMILY_IPV6)
		take_addresses(out, sk);
	if (out->state == TCP_LISTEN) {
		out->flags |= PS_ITEM_LISTENS;
		out->backlog = out->family == FAMILY_UNIX ? BPF_CORE_READ(sk, sk_receive_queue.qlen)
							  : BPF_CORE_READ(sk, sk_ack_backlog);
		out->backlog_max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	} else if (out->protocol == PROTOCOL_TCP && out->family != FAMILY_UNIX) {
		struct tcp_sock *tcp = (struct tcp_sock *)sk;

		out->flags |= PS_ITEM_UNREAD;
		out->unread = BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq);
		/* the other end's farewell counts as one byte until it is read */
		if (out->unread &&
		    (out->state == TCP_CLOSE_WAIT || out->state == TCP_LAST_ACK || out->state == TCP_CLOSING))
			out->unread--;
	}
}

/* 0: not sent. */
static __always_inline bool send_item(struct walk *walk, struct epitem *item)
{
	struct ps_poller_item *out = bpf_ringbuf_reserve(&items, sizeof(*out), 0);
	struct file *file;

	if (!out)
		return false;
	__builtin_memset(out, 0, sizeof(*out));
	file = BPF_CORE_READ(item, ffd.file);
	out->file = (__u64)file;
	out->fd = BPF_CORE_READ(item, ffd.fd);
	out->events = BPF_CORE_READ(item, event.events);
	out->data = BPF_CORE_READ(item, event.data);
	out->f_op = (__u64)BPF_CORE_READ(file, f_op);
	out->inode = BPF_CORE_READ(file, f_inode, i_ino);
	if (BPF_CORE_READ(item, rdllink.next) != (struct list_head *)&item->rdllink)
		out->flags |= PS_ITEM_READY;
	if (out->f_op == request.socket_f_op)
		take_socket(out, file);
	answer.last_file = out->file;
	answer.last_fd = out->fd;
	bpf_ringbuf_submit(out, BPF_RB_NO_WAKEUP);
	return true;
}

/* As the kernel orders them: by file, then by number. */
static __always_inline bool is_behind(struct epitem *item)
{
	__u64 file = (__u64)BPF_CORE_READ(item, ffd.file);

	if (file != request.after_file)
		return file > request.after_file;
	return BPF_CORE_READ(item, ffd.fd) > request.after_fd;
}

/* Down from the root to the first item behind the cursor. */
static __always_inline void step_first(struct walk *walk)
{
	struct rb_node *node = walk->node;

	if (is_behind(item_of(node))) {
		walk->best = node;
		walk->best_depth = walk->depth;
		walk->node = BPF_CORE_READ(node, rb_left);
	} else {
		walk->node = BPF_CORE_READ(node, rb_right);
	}
	walk->depth++;
	if (walk->node)
		return;
	walk->node = walk->best;
	walk->depth = walk->best_depth;
	walk->state = WALK_ITEM;
}

static __always_inline long step_item(struct walk *walk)
{
	struct rb_node *node = walk->node;
	struct epitem *item = item_of(node);

	if (BPF_CORE_READ(item, ep) != walk->ep) {
		answer.torn = 1;
		return 1;
	}
	if (!send_item(walk, item)) {
		answer.more = 1;
		return 1;
	}
	if (walk->depth > answer.depth)
		answer.depth = walk->depth;
	if (++walk->sent >= request.limit) {
		answer.more = 1;
		return 1;
	}
	walk->node = BPF_CORE_READ(node, rb_right);
	if (walk->node) {
		walk->depth++;
		walk->state = WALK_LEFTMOST;
	} else {
		walk->node = node;
		walk->state = WALK_UP;
	}
	return 0;
}

static __always_inline void step_up(struct walk *walk)
{
	struct rb_node *node = walk->node;
	struct rb_node *parent = (struct rb_node *)(BPF_CORE_READ(node, __rb_parent_color) & ~3ul);

	if (parent && BPF_CORE_READ(parent, rb_left) == node)
		walk->state = WALK_ITEM;
	walk->node = parent;
	walk->depth--;
}

static long step(__u32 index, struct walk *walk)
{
	struct rb_node *node = walk->node, *left;

	if (!node)
		return 1;
	if (walk->state == WALK_FIRST) {
		step_first(walk);
	} else if (walk->state == WALK_LEFTMOST) {
		left = BPF_CORE_READ(node, rb_left);
		if (left) {
			walk->node = left;
			walk->depth++;
		} else {
			walk->state = WALK_ITEM;
		}
	} else if (walk->state == WALK_ITEM) {
		return step_item(walk);
	} else {
		step_up(walk);
	}
	return 0;
}

struct waiters {
	struct list_head *head, *at;
	__u32 count;
};

static long count_waiter(__u32 index, struct waiters *waiters)
{
	struct list_head *at = waiters->at;

	if (!at || at == waiters->head)
		return 1;
	waiters->count++;
	waiters->at = BPF_CORE_READ(at, next);
	return 0;
}

static __always_inline void read_poller(struct file *file)
{
	struct eventpoll *ep = file->private_data;
	struct walk walk = { .ep = ep, .state = WALK_FIRST, .depth = 1 };
	struct list_head *head = (struct list_head *)((char *)ep + bpf_core_field_offset(struct eventpoll, wq.head));
	struct waiters waiters = { .head = head, .at = BPF_CORE_READ(head, next) };

	answer.poller = (__u64)ep;
	walk.node = BPF_CORE_READ(ep, rbr.rb_root.rb_node);
	bpf_loop(4 * request.limit + 256, step, &walk, 0);
	if (walk.node && !answer.more)
		answer.torn = 1;
	bpf_loop(PS_POLLER_WAITERS, count_waiter, &waiters, 0);
	answer.waiters = waiters.count;
}

static __always_inline void learn(__s32 fd, __u64 f_op)
{
	for (int i = 0; i < PS_LEARN_FDS; i++)
		if (request.learn_fd[i] == fd)
			answer.learnt_f_op[i] = f_op;
}

SEC("iter/task_file")
int on_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	const __u64 done = 1;

	if (!task || !file || tgid_of(task) != request.tgid)
		return 0;
	if (request.learns) {
		learn(ctx->fd, (__u64)file->f_op);
		return 0;
	}
	if (ctx->fd != (__u32)request.poller_fd)
		return 0;
	answer.found = 1;
	if ((__u64)file->f_op == request.poller_f_op)
		read_poller(file);
	else
		answer.found = 2;
	/* whoever reads has asked for 8 bytes: the walk over the files ends here */
	bpf_seq_write(ctx->meta->seq, &done, sizeof(done));
	return 0;
}
