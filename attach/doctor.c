/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What works here. Every row comes from a try, not from a version: doctor.c
 * keeps the notes, doctor_machine.c tries the kernel, doctor_target.c tries one
 * process, bpf_try.c has the tries with BPF. Nothing tried stays behind.
 */
#include "doctor.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int doctor_can(const struct doctor_notes *notes, unsigned capability)
{
	return (int)(notes->self.caps >> capability & 1);
}

void doctor_note(struct doctor_notes *notes, const char *what, int state, const char *mend, const char *why, ...)
{
	if (notes->count == notes->room)
		return;
	struct doctor_row *row = &notes->rows[notes->count++];
	va_list list;
	memset(row, 0, sizeof(*row));
	snprintf(row->what, sizeof(row->what), "%s", what);
	snprintf(row->mend, sizeof(row->mend), "%s", mend ? mend : "");
	row->state = state;
	va_start(list, why);
	vsnprintf(row->why, sizeof(row->why), why, list);
	va_end(list);
}

int attach_doctor(struct doctor_row *rows, size_t room, pid_t pid)
{
	struct doctor_notes notes = { .rows = rows, .room = room, .pid = pid };
	int err = proc_read_status(getpid(), 0, &notes.self);
	if (err)
		return err;
	/* what libbpf would say to stderr stands in the rows */
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	doctor_machine(&notes);
	if (pid)
		doctor_target(&notes);
	libbpf_set_print(print);
	return (int)notes.count;
}
