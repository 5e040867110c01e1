/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of classic tracepoints, also where tracefs is not mounted. */
#ifndef TRACEFS_H
#define TRACEFS_H

int tracefs_open(void);   /* a directory descriptor, or -errno */
int tracefs_tracepoint(int tracefs, const char *category, const char *name);  /* its number, or -errno */

#endif
