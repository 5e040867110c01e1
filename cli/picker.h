/* SPDX-License-Identifier: BSD-2-Clause */
/* Lets the user choose one of the event loops of this machine on the terminal. */
#ifndef PICKER_H
#define PICKER_H

#include <sys/types.h>

#include "options.h"

/* *pid is 0 when nothing was chosen. 0 or an exit code. */
int picker_run(const struct options *options, pid_t *pid);

#endif
