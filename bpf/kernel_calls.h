/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Numbers of the system calls by which a loop thread serves its descriptors. */
#ifndef KERNEL_CALLS_H
#define KERNEL_CALLS_H

#include "kernel.h"

#if defined(__TARGET_ARCH_x86)
#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_CLOSE 3
#define SYS_READV 19
#define SYS_WRITEV 20
#define SYS_SENDFILE 40
#define SYS_ACCEPT 43
#define SYS_SENDTO 44
#define SYS_RECVFROM 45
#define SYS_SENDMSG 46
#define SYS_RECVMSG 47
#define SYS_EPOLL_CTL 233
#define SYS_ACCEPT4 288
#elif defined(__TARGET_ARCH_arm64)
#define SYS_READ 63
#define SYS_WRITE 64
#define SYS_CLOSE 57
#define SYS_READV 65
#define SYS_WRITEV 66
#define SYS_SENDFILE 71
#define SYS_ACCEPT 202
#define SYS_SENDTO 206
#define SYS_RECVFROM 207
#define SYS_SENDMSG 211
#define SYS_RECVMSG 212
#define SYS_EPOLL_CTL 21
#define SYS_ACCEPT4 242
#endif

/* An event as user space has it: packed on x86 only. */
#if defined(__TARGET_ARCH_x86)
struct user_event {
	__u32 events;
	__u64 data;
} __attribute__((packed));
#else
struct user_event {
	__u32 events;
	__u64 data;
};
#endif

#define EPOLL_ADD 1
#define EPOLL_DEL 2

#define EVENT_IN 0x001u
#define EVENT_ERR 0x008u
#define EVENT_HUP 0x010u
#define EVENT_RDHUP 0x2000u
#define ERROR_AGAIN (-11)
#define MESSAGE_PEEK 2

#endif
