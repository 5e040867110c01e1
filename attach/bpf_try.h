/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trying what the kernel lets this process do with BPF: each try loads a
 * program of two instructions, attaches it where that is a thing, and takes it
 * back at once. Nothing is decided by kernel version or by reading capabilities.
 */
#ifndef BPF_TRY_H
#define BPF_TRY_H

#include <stddef.h>

struct bpf_try {
	const char *what;      /* "scheduler probe (BTF tracepoint)" */
	const char *works;     /* what is said when it does */
	const char *without;   /* what is not measured where it fails */
	int has_substitute;    /* another way gives the same, or most of it */
	int (*run)(const char **step); /* 0, or -errno and *step: "load", "attach", "find its target …" */
};
extern const struct bpf_try bpf_tries[]; /* ends in an empty row */

#endif
