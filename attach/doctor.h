/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's notebook: rows, and who asks. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stddef.h>
#include <sys/types.h>

#include "attach.h"
#include "proc.h"

struct doctor_notes {
	struct doctor_row *rows;
	size_t count, room;
	struct proc_status self;
	/* of a target */
	pid_t pid;
	struct proc_status target;
};

enum { DOCTOR_CAP_PTRACE = 19, DOCTOR_CAP_SYS_ADMIN = 21, DOCTOR_CAP_PERFMON = 38, DOCTOR_CAP_BPF = 39 };

int doctor_can(const struct doctor_notes *notes, unsigned capability);
/* `mend` may be NULL; why is a format. Rows beyond the room are dropped. */
void doctor_note(struct doctor_notes *notes, const char *what, int state, const char *mend, const char *why, ...)
	__attribute__((format(printf, 5, 6)));

void doctor_machine(struct doctor_notes *notes);  /* doctor_machine.c */
void doctor_target(struct doctor_notes *notes);   /* doctor_target.c: notes->pid */

#endif
