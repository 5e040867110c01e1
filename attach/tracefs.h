/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of classic tracepoints, also where tracefs is not mounted, and programs on them. */
#ifndef TRACEFS_H
#define TRACEFS_H

int tracefs_open(void);   /* a directory descriptor, or -errno */
int tracefs_tracepoint(int tracefs, const char *category, const char *name);  /* its number, or -errno */

struct bpf_link;
struct bpf_program;
/* Attaches a program to a classic tracepoint, on all processors. NULL and errno; ENOENT: this kernel has no such tracepoint. */
struct bpf_link *tracefs_attach(int tracefs, const char *category, const char *name, struct bpf_program *program);

#endif
