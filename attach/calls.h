/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's own functions of system calls, as targets of fentry and fexit programs. */
#ifndef CALLS_H
#define CALLS_H

struct bpf_program;
/* "epoll_wait" -> __x64_sys_epoll_wait(). Before the program is loaded. -ENOTSUP: not on this machine; -ESRCH: not in this kernel. */
int call_set_target(struct bpf_program *program, const char *call);

#endif
