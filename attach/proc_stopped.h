/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_STOPPED_H
#define PROC_STOPPED_H

#include <sys/types.h>

/* 1 when a signal, a debugger or the freezer of its control group keeps the thread from running; tid 0 = the process. */
int proc_is_stopped(pid_t pid, pid_t tid);

#endif
