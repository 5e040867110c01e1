/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for the numbers in flight recorders.
 *
 * /proc tells what a descriptor is now, so a name is asked for at the end of a
 * drain, for the newest life of the descriptor that was seen, and not at all
 * when that life is over. A life is named once.
 */
#include "ring_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "schema.h"

#define ADDRESSES 16384u        /* slots, power of two; half of them are used at most */
#define SYMBOLS_PER_DRAIN 512
#define FDS_MAX 131072
#define WAITING_MAX 512
#define FDS_PER_DRAIN 64
#define TRIES 20                /* for a socket whose table may not be read yet */

struct life {
	uint32_t generation;
	uint8_t is_open;
	uint8_t is_known;       /* named, or waiting for it */
};

struct waiting {
	int32_t fd;
	uint32_t generation, tid;
	uint32_t tries;
};

struct ring_names {
	const struct proc_id *process;
	struct symbols *symbols;
	struct stream *stream;
	uint64_t addresses[ADDRESSES]; /* named; 0 = free slot */
	unsigned address_count, symbols_left;
	struct life *lives;     /* by descriptor */
	size_t life_count;
	struct waiting waiting[WAITING_MAX];
	size_t waiting_count;
};

int ring_names_open(struct ring_names **names, const struct proc_id *process, struct symbols *symbols,
		    struct stream *stream)
{
	*names = calloc(1, sizeof(**names));
	if (!*names)
		return -ENOMEM;
	(*names)->process = process;
	(*names)->symbols = symbols;
	(*names)->stream = stream;
	(*names)->symbols_left = SYMBOLS_PER_DRAIN;
	return 0;
}

void ring_names_close(struct ring_names *names)
{
	if (!names)
		return;
	free(names->lives);
	free(names);
}

/* ---- functions ---- */

static void name_address(struct ring_names *names, uint64_t address)
{
	unsigned at = (unsigned)(address * 0x9e3779b97f4a7c15ull >> 50) & (ADDRESSES - 1);
	while (names->addresses[at] && names->addresses[at] != address)
		at = (at + 1) & (ADDRESSES - 1);
	if (names->addresses[at] || !names->symbols_left || names->address_count >= ADDRESSES / 2)
		return;
	names->addresses[at] = address;
	names->address_count++;
	names->symbols_left--;
	uint32_t frame = symbols_frame(names->symbols, names->stream, address, 0);
	if (frame)
		stream_symbol(names->stream, (uint32_t)names->process->pid, address, frame);
}

static void name_addresses(struct ring_names *names, const struct ps_record *record)
{
	const struct event_schema *schema = schema_event(record->event);
	for (unsigned i = 0; i < schema->field_count; i++) {
		if (schema->fields[i].unit != UNIT_ADDRESS)
			continue;
		uint64_t address = schema_value(record, &schema->fields[i]);
		if (address)
			name_address(names, address);
	}
}

/* ---- descriptors ---- */

/* The descriptor and its life that a record speaks of. */
static int32_t fd_of(const struct ps_record *record, uint32_t *generation)
{
	const struct ps_ev_callback_begin *begin = (const void *)record;
	const struct ps_ev_fd_interest *interest = (const void *)record;
	const struct ps_ev_fd_life *life = (const void *)record;
	switch (record->event) {
	case PS_EV_CALLBACK_BEGIN:
		*generation = begin->generation;
		return begin->fd;
	case PS_EV_FD_INTEREST:
		*generation = interest->generation;
		return interest->fd;
	case PS_EV_FD_LIFE:
		*generation = life->generation;
		return life->fd;
	default:
		return -1;
	}
}

static struct life *life_of(struct ring_names *names, int32_t fd)
{
	if (fd < 0 || fd >= FDS_MAX)
		return NULL;
	if ((size_t)fd >= names->life_count) {
		size_t count = names->life_count ? names->life_count : 64;
		while (count <= (size_t)fd)
			count *= 2;
		struct life *lives = realloc(names->lives, count * sizeof(*lives));
		if (!lives)
			return NULL;
		memset(lives + names->life_count, 0, (count - names->life_count) * sizeof(*lives));
		names->lives = lives;
		names->life_count = count;
	}
	return &names->lives[fd];
}

static int ends_life(const struct ps_record *record)
{
	if (record->event == PS_EV_FD_LIFE)
		return ((const struct ps_ev_fd_life *)record)->op == PS_LIFE_CLOSED;
	return record->event == PS_EV_FD_INTEREST &&
	       ((const struct ps_ev_fd_interest *)record)->op == PS_INTEREST_REMOVE;
}

static void note_fd(struct ring_names *names, const struct ps_record *record)
{
	uint32_t generation = 0;
	int32_t fd = fd_of(record, &generation);
	struct life *life = life_of(names, fd);
	if (!life)
		return;
	if (!life->is_known || life->generation != generation)
		*life = (struct life){ .generation = generation };
	life->is_open = !ends_life(record);
	if (!life->is_open || life->is_known || names->waiting_count == WAITING_MAX)
		return;
	life->is_known = 1;
	names->waiting[names->waiting_count++] = (struct waiting){ fd, generation, record->tid, 0 };
}

/* 1: its turn is over, named or not. */
static int name_fd(struct ring_names *names, struct waiting *waiting)
{
	const struct life *life = &names->lives[waiting->fd];
	char name[256];
	if (!life->is_open || life->generation != waiting->generation)
		return 1;
	int kind = proc_fd_name(names->process->pid, waiting->fd, name, sizeof(name));
	if (kind < 0)
		return 1;
	if (kind == PS_KIND_SOCKET && ++waiting->tries < TRIES)
		return 0;
	const struct ps_ev_fd_life named = {
		.h = { stream_now(), waiting->tid, PS_EV_FD_LIFE, sizeof(named) },
		.fd = waiting->fd,
		.generation = waiting->generation,
		.op = PS_LIFE_NAMED,
		.kind = (uint16_t)kind,
		.name = stream_string(names->stream, name, strlen(name)),
	};
	stream_put(names->stream, &named.h);
	return 1;
}

void ring_names_note(struct ring_names *names, const struct ps_record *record)
{
	name_addresses(names, record);
	note_fd(names, record);
}

void ring_names_drain(struct ring_names *names)
{
	size_t turns = names->waiting_count < FDS_PER_DRAIN ? names->waiting_count : FDS_PER_DRAIN;
	size_t kept = 0;
	names->symbols_left = SYMBOLS_PER_DRAIN;
	if (turns && !proc_same(names->process)) {
		names->waiting_count = 0;
		return;
	}
	for (size_t i = 0; i < turns; i++)
		if (!name_fd(names, &names->waiting[i]))
			names->waiting[kept++] = names->waiting[i];
	size_t rest = names->waiting_count - turns;
	memmove(&names->waiting[kept], &names->waiting[turns], rest * sizeof(*names->waiting));
	names->waiting_count = kept + rest;
}
