/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What is read of the kernel's open files, pollers and sockets: only these
 * structs and fields, relocated when a program is loaded (see kernel.h).
 */
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

#include "kernel.h"

#define TCP_CLOSE_WAIT 8
#define TCP_LAST_ACK 9
#define TCP_LISTEN 10
#define TCP_CLOSING 11
#define FAMILY_UNIX 1
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10
#define PROTOCOL_TCP 6

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct wait_queue_head {
	struct list_head head;
};

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right, *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	const void *f_op;
	void *private_data;
	struct inode *f_inode;
};

struct epoll_filefd {
	struct file *file;
	int fd;
};

struct epoll_event {
	__u32 events;
	__u64 data;
};

struct eventpoll {
	struct wait_queue_head wq;
	struct rb_root_cached rbr;
};

struct epitem {
	struct rb_node rbn; /* its first member */
	struct list_head rdllink;
	struct epoll_filefd ffd;
	struct eventpoll *ep;
	struct epoll_event event;
};

struct in6_addr {
	unsigned char in6_u[16]; /* a union there, of the same size */
};

struct sock_common {
	__u32 skc_daddr, skc_rcv_saddr;
	__u16 skc_dport, skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sk_buff_head {
	__u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	__u32 sk_ack_backlog, sk_max_ack_backlog;
	__u16 sk_protocol;
};

struct tcp_sock {
	__u32 rcv_nxt, copied_seq;
};

struct socket {
	struct sock *sk;
};

struct wait_queue_entry {
	unsigned int flags;
};

struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif
