/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: the screen as text in a new file of the working directory. Never
 * follows a link, never overwrites: a name that is taken gets a number.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "state.h"

#define NAMES_MAX 100

/* "pollscope-48213-180631.txt", "pollscope-48213-180631-2.txt" */
static void make_name(const struct view *view, int number, char *name, size_t room)
{
	char clock[16], suffix[16] = "";
	unsigned hour = 0, minute = 0, second = 0;

	view_clock(view->model, view->model->now_ns, clock);
	sscanf(clock, "%2u:%2u:%2u", &hour, &minute, &second);
	if (number > 1)
		snprintf(suffix, sizeof(suffix), "-%d", number);
	snprintf(name, room, "pollscope-%u-%02u%02u%02u%s.txt", view->process ? view->process->pid : 0, hour, minute,
		 second, suffix);
}

static int open_new(const struct view *view, char *name, size_t room)
{
	int fd = -1;
	for (int number = 1; number < NAMES_MAX; number++) {
		make_name(view, number, name, room);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int write_grid(const struct grid *grid, int fd)
{
	FILE *out = fdopen(fd, "w");
	if (!out) {
		int err = -errno;
		close(fd);
		return err;
	}
	int err = grid_write(grid, out);
	if (fclose(out) && !err)
		err = -errno;
	return err;
}

int snapshot_save(struct tui *tui, const struct model *model, const struct tui_status *status, char *name, size_t room)
{
	struct grid grid;
	struct view view;
	int err = grid_open(&grid, tui->columns, tui->rows);

	snprintf(name, room, "the screen");
	if (err)
		return err;
	tui_draw(tui, model, status, &grid);
	tui_view(tui, model, status, &grid, &view);
	int fd = open_new(&view, name, room);
	err = fd < 0 ? fd : write_grid(&grid, fd);
	if (err && fd >= 0)
		unlink(name);
	grid_close(&grid);
	return err;
}
