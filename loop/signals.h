/* SPDX-License-Identifier: BSD-2-Clause */
/* A watcher of a signal. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "loop.h"

struct ps_signal {
	struct handle handle;
	ps_signal_fn *fn;
	struct ps_signal *next;      /* of this signal, in all loops */
	struct ps_signal *next_here; /* of this loop, any signal */
	int number;
};

#endif
