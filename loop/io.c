/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors: who watches which, and what the poller was told of it.
 *
 * One slot per descriptor number with a list of watchers; the poller is told
 * the union of what they want. Changes are collected and told just before the
 * wait, so interest that comes and goes within an iteration costs nothing.
 * Only giving a descriptor up is told at once, since its owner may close it.
 *
 * The slot's generation travels through the poller as a tag. A report with an
 * old tag is dropped; if it was fetched after that life had ended, a duplicate
 * of the descriptor keeps a dead registration alive inside the kernel that
 * nobody can name any more, and the poller is built anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "handles.h"
#include "probe.h"

static struct fd_slot *slot_of(const struct ps_io *io)
{
	return &io->handle.loop->slots[io->fd];
}

static int reserve_slot(struct ps_loop *loop, int fd)
{
	uint32_t need = (uint32_t)fd + 1, room = loop->slot_count ? loop->slot_count : 64;

	if (need <= loop->slot_count)
		return 0;
	while (room < need)
		room *= 2;
	struct fd_slot *slots = realloc(loop->slots, room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	memset(slots + loop->slot_count, 0, (room - loop->slot_count) * sizeof(*slots));
	loop->slots = slots;
	loop->slot_count = room;
	return 0;
}

static uint32_t wanted(const struct fd_slot *slot)
{
	uint32_t events = 0, edge = PS_EDGE;

	for (const struct ps_io *io = slot->watchers; io; io = io->next) {
		events |= io->events & ~PS_EDGE;
		edge &= io->events ? io->events : PS_EDGE; /* one that asks for levels gets them */
	}
	return events ? events | edge : 0;
}

/* The poller learns what slot `fd` wants now. */
static int tell_poller(struct ps_loop *loop, int fd, uint32_t events)
{
	struct fd_slot *slot = &loop->slots[fd];
	uint32_t before = slot->events;

	if (events == before)
		return 0;
	int err = loop->backend->set(loop->poller, fd, before, events, slot->generation);
	/* a removal that fails found the descriptor closed: it is out either way */
	if (err && events)
		return err;
	loop->fds = loop->fds + !before - !events;
	slot->events = (uint8_t)events;
	probe_fd_interest(loop, fd, events, slot->generation,
			  !before ? PS_INTEREST_ADD : events ? PS_INTEREST_MODIFY : PS_INTEREST_REMOVE, slot->kind);
	return 0;
}

static void mark_changed(struct ps_loop *loop, int fd)
{
	struct fd_slot *slot = &loop->slots[fd];

	if (slot->changed)
		return;
	slot->changed = 1;
	slot->next_changed = loop->changed_first;
	loop->changed_first = (uint32_t)fd + 1;
}

void io_init(struct ps_io *io, int fd, void (*dispatch)(struct ps_io *io, uint32_t events), void *fn)
{
	io->fd = fd;
	io->dispatch = dispatch;
	io->fn = fn;
}

int io_attach(struct ps_io *io)
{
	int err = reserve_slot(io->handle.loop, io->fd);

	if (err)
		return err;
	struct fd_slot *slot = slot_of(io);
	if (!slot->watchers) {
		slot->generation++;
		slot->kind = io->handle.kind;
	}
	struct ps_io **last = &slot->watchers;
	while (*last)
		last = &(*last)->next;
	*last = io;
	return 0;
}

void io_want(struct ps_io *io, uint32_t events)
{
	if (io->events == events)
		return;
	io->events = events;
	if (events)
		handle_activate(&io->handle);
	else
		handle_deactivate(&io->handle);
	mark_changed(io->handle.loop, io->fd);
}

void io_detach(struct ps_io *io)
{
	struct ps_loop *loop = io->handle.loop;
	struct fd_slot *slot = slot_of(io);
	struct ps_io **at = &slot->watchers;

	io->events = 0;
	while (*at && *at != io)
		at = &(*at)->next;
	if (*at)
		*at = io->next; /* io->next stays: a dispatch under way may stand on this watcher */
	if (slot->watchers) {
		mark_changed(loop, io->fd);
		return;
	}
	tell_poller(loop, io->fd, 0);
	slot->generation++;
	slot->dead_batch = loop->batch;
}

uint32_t io_generation(const struct ps_io *io)
{
	return slot_of(io)->generation;
}

void io_flush(struct ps_loop *loop)
{
	while (loop->changed_first) {
		int fd = (int)loop->changed_first - 1;
		struct fd_slot *slot = &loop->slots[fd];
		loop->changed_first = slot->next_changed;
		slot->changed = 0;
		if (slot->watchers && tell_poller(loop, fd, wanted(slot)) && !slot->wanted_failed) {
			slot->wanted_failed = 1;
			loop->failed_fds++;
		}
	}
}

/* Gives a report to the watchers that want it. A callback may close any of them, or all. */
static void dispatch_slot(struct ps_loop *loop, int fd, uint32_t tag, uint32_t events)
{
	for (struct ps_io *io = loop->slots[fd].watchers; io; io = io->next) {
		uint32_t given = events & (io->events | PS_ERROR | PS_HANGUP);
		if (io->handle.state == HANDLE_OPEN && io->events && given) {
			io->dispatch(io, given);
			callback_end(loop);
		}
		if (loop->slots[fd].generation != tag)
			break;
	}
}

void io_dispatch(struct ps_loop *loop, const struct ready *ready, int count)
{
	for (int i = 0; i < count; i++) {
		int fd = ready[i].fd;
		if ((uint32_t)fd >= loop->slot_count)
			continue;
		struct fd_slot *slot = &loop->slots[fd];
		if (slot->generation != ready[i].tag || !slot->watchers) {
			if (slot->dead_batch != loop->batch)
				loop->rebuild = 1;
			continue;
		}
		probe_fd_ready(loop, fd, ready[i].events, slot->generation);
		dispatch_slot(loop, fd, ready[i].tag, ready[i].events);
	}
}

int io_pending(struct ps_loop *loop)
{
	if (!loop->failed_fds)
		return 0;
	loop->failed_fds = 0;
	probe_phase_now(loop, PS_PHASE_PENDING);
	for (uint32_t fd = 0; fd < loop->slot_count; fd++) {
		struct fd_slot *slot = &loop->slots[fd];
		if (!slot->wanted_failed)
			continue;
		slot->wanted_failed = 0;
		dispatch_slot(loop, (int)fd, slot->generation, PS_ERROR);
	}
	return 1;
}

int io_reset(struct ps_loop *loop)
{
	int err = loop->backend->reset(loop->poller);

	loop->rebuild = 0;
	loop->fds = 0;
	loop->recorder_options.poller_fd = loop->backend->fd(loop->poller);
	for (uint32_t fd = 0; !err && fd < loop->slot_count; fd++) {
		loop->slots[fd].events = 0;
		if (loop->slots[fd].watchers)
			mark_changed(loop, (int)fd);
	}
	return err;
}

void io_close_table(struct ps_loop *loop)
{
	free(loop->slots);
}

/* ---- the public watcher ---- */

static void call_user(struct ps_io *io, uint32_t events)
{
	probe_callback_now(io->handle.loop, io->fn, &io->handle, io->fd, io_generation(io));
	((ps_io_fn *)io->fn)(io, events, io->handle.arg);
}

int ps_io_open(struct ps_loop *loop, struct ps_io **out, int fd, ps_io_fn *fn, void *arg)
{
	struct stat st;

	if (!loop || !out || !fn)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return -EPERM;
	struct ps_io *io = handle_open(loop, SLAB_IO, PS_KIND_IO, arg);
	if (!io)
		return -ENOMEM;
	io_init(io, fd, call_user, (void *)fn);
	if (io_attach(io)) {
		handle_free(&io->handle);
		return -ENOMEM;
	}
	*out = io;
	return 0;
}

int ps_io_start(struct ps_io *io, uint32_t events)
{
	if (!io || !handle_is_open(&io->handle) || events & ~(PS_READABLE | PS_WRITABLE | PS_EDGE) ||
	    events == PS_EDGE)
		return -EINVAL;
	io_want(io, events);
	return 0;
}

int ps_io_fd(const struct ps_io *io)
{
	return io && handle_is_open(&io->handle) ? io->fd : -EINVAL;
}

int ps_io_unref(struct ps_io *io)
{
	if (!io || !handle_is_open(&io->handle))
		return -EINVAL;
	handle_unref(&io->handle);
	return 0;
}

int ps_io_close(struct ps_io *io)
{
	if (!io || !handle_is_open(&io->handle))
		return -EINVAL;
	io_detach(io);
	return handle_close(&io->handle);
}
