/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record with the least time of all that are next goes out first; each
 * recording keeps its own order. What a field is tells how it is changed:
 * interned numbers get new ones, times are shifted, pids moved. Where a
 * recording ends before the others do, what they tell later says nothing of its
 * processes any more: PROCESS_LEFT says so.
 */
#include "psr_merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "table.h"

#define ID_KINDS 3 /* strings, frames, stacks */

struct source {
	struct psr_reader *reader;
	const struct ps_record *next; /* NULL: at its end */
	uint64_t shift; /* to the first's CLOCK_MONOTONIC; wraps */
	uint64_t next_ts; /* of next, shifted */
	uint64_t newest_ns; /* of what was written of it */
	uint32_t pid_base;
	struct table processes; /* our pids that it told of and that have not ended -> 1 */
	int ended; /* its end was told of */
	struct table ids[ID_KINDS]; /* its numbers -> ours */
};

struct merge {
	struct source *sources;
	size_t count;
	struct psr_writer *writer;
	uint64_t boottime_shift; /* of the first: CLOCK_BOOTTIME - CLOCK_MONOTONIC */
	uint32_t newest_id[ID_KINDS];
	int out_of_memory;
	uint64_t room[PSR_CHUNK / 16];
};

static int same_boot(const struct psr_info *a, const struct psr_info *b)
{
	return *a->boot_id && !strcmp(a->boot_id, b->boot_id);
}

static uint64_t shift_time(const struct source *source, uint64_t time)
{
	if (!time || time == PS_UNKNOWN || !source->shift)
		return time;
	uint64_t shifted = time + source->shift;
	int wrapped = (int64_t)source->shift < 0 ? shifted > time : shifted < time;
	return wrapped || !shifted ? 1 : shifted; /* before the first one's boot, or nonsense */
}

static int advance(struct source *source)
{
	int got = psr_reader_next(source->reader, &source->next);
	if (got <= 0)
		source->next = NULL;
	else
		source->next_ts = shift_time(source, source->next->ts);
	return got < 0 ? got : 0;
}

static uint32_t map_id(struct merge *merge, struct source *source, unsigned kind, uint32_t id)
{
	if (!id)
		return 0;
	uint32_t ours = (uint32_t)table_get(&source->ids[kind], id);
	if (ours)
		return ours;
	ours = ++merge->newest_id[kind];
	merge->out_of_memory |= table_put(&source->ids[kind], id, ours) != 0;
	return ours;
}

static void map_field(struct merge *merge, struct source *source, struct ps_record *record, const struct field *field)
{
	uint64_t value = schema_value(record, field);
	switch (field->unit) {
	case UNIT_ID_STRING:
	case UNIT_ID_FRAME:
	case UNIT_ID_STACK:
		value = map_id(merge, source, field->unit - UNIT_ID_STRING, (uint32_t)value);
		break;
	case UNIT_PID:
		value += value ? source->pid_base : 0;
		break;
	case UNIT_TIME:
	case UNIT_STAMP:
		value = shift_time(source, value);
		break;
	default:
		return;
	}
	memcpy((char *)record + field->offset, &value, field->size);
}

/* Which processes the recording looks at. */
static int note_process(struct source *source, const struct ps_record *record)
{
	const struct ps_ev_process_exit *exit = (const struct ps_ev_process_exit *)record;
	uint32_t pid = 0;
	if (record->event == PS_EV_PROCESS)
		pid = ((const struct ps_ev_process *)record)->pid;
	else if (record->event == PS_EV_LOOP)
		pid = ((const struct ps_ev_loop *)record)->pid;
	else if (record->event == PS_EV_PROCESS_EXIT || record->event == PS_EV_PROCESS_LEFT)
		table_remove(&source->processes, exit->pid);
	return pid ? table_put(&source->processes, pid, 1) : 0;
}

static int write_next(struct merge *merge, struct source *source)
{
	struct ps_record *record = (struct ps_record *)merge->room;
	memcpy(record, source->next, source->next->size);
	const struct event_schema *schema = schema_event(record->event);
	for (unsigned i = 0; i < schema->field_count; i++)
		map_field(merge, source, record, &schema->fields[i]);
	record->ts = source->next_ts;
	record->tid += record->tid ? source->pid_base : 0;
	if (record->event == PS_EV_CLOCK && source->shift)
		((struct ps_ev_clock *)record)->boottime_ns = record->ts + merge->boottime_shift;
	if (record->event == PS_EV_STACK) {
		struct ps_ev_stack *stack = (struct ps_ev_stack *)record;
		uint32_t *frames = (uint32_t *)(stack + 1);
		for (uint32_t i = 0; i < stack->count; i++)
			frames[i] = map_id(merge, source, UNIT_ID_FRAME - UNIT_ID_STRING, frames[i]);
	}
	if (record->ts > source->newest_ns)
		source->newest_ns = record->ts;
	merge->out_of_memory |= note_process(source, record) != 0;
	return merge->out_of_memory ? -ENOMEM : psr_writer_add(merge->writer, record);
}

/* ---- where a recording ends ---- */

/* Another recording goes on with it: the next file of a rotated one, or one of the same time. */
static int is_seen_on(const struct merge *merge, uint64_t pid)
{
	for (size_t i = 0; i < merge->count; i++)
		if (!merge->sources[i].ended && table_get(&merge->sources[i].processes, pid))
			return 1;
	return 0;
}

/* What the others tell from here on says nothing of the processes of this one. */
static int write_left(struct merge *merge, struct source *source)
{
	int err = 0;
	source->ended = 1;
	for (size_t i = 0; i < source->processes.room && !err; i++) {
		const struct table_entry *told = &source->processes.entries[i];
		struct ps_ev_process_left left = {
			.h = { source->newest_ns, 0, PS_EV_PROCESS_LEFT, sizeof(left) },
			.pid = (uint32_t)told->key,
		};
		if (told->value && !is_seen_on(merge, told->key))
			err = psr_writer_add(merge->writer, &left.h);
	}
	return err;
}

/* Time goes on to `ts`. */
static int tell_ended(struct merge *merge, uint64_t ts)
{
	int err = 0;
	for (size_t i = 0; i < merge->count && !err; i++) {
		struct source *source = &merge->sources[i];
		if (!source->next && !source->ended && source->newest_ns < ts)
			err = write_left(merge, source);
	}
	return err;
}

static struct source *earliest(struct merge *merge)
{
	struct source *best = NULL;
	for (size_t i = 0; i < merge->count; i++) {
		struct source *source = &merge->sources[i];
		if (source->next && (!best || source->next_ts < best->next_ts))
			best = source;
	}
	return best;
}

/* Sets a recording's clock beside the first's. */
static int align(struct merge *merge, size_t at)
{
	const struct psr_info *first = psr_reader_info(merge->sources[0].reader);
	const struct psr_info *info = psr_reader_info(merge->sources[at].reader);
	struct source *source = &merge->sources[at];
	if (!at || same_boot(first, info))
		return 0;
	if (!first->realtime_ns || !info->realtime_ns)
		return -ENXIO;
	source->shift = info->realtime_ns - info->monotonic_ns - (first->realtime_ns - first->monotonic_ns);
	for (size_t i = 1; i < at; i++) /* of the same boot as one before: the same clock, the same processes */
		if (same_boot(psr_reader_info(merge->sources[i].reader), info)) {
			source->shift = merge->sources[i].shift;
			source->pid_base = merge->sources[i].pid_base;
			return 0;
		}
	source->pid_base = MERGE_PIDS * (uint32_t)at;
	return 0;
}

static int run(struct merge *merge, size_t *bad)
{
	int err = 0;
	for (size_t i = 0; i < merge->count && !err; i++) {
		*bad = i;
		err = align(merge, i);
		if (!err)
			err = advance(&merge->sources[i]);
	}
	for (struct source *source; !err && (source = earliest(merge));) {
		*bad = merge->count;
		err = tell_ended(merge, source->next_ts);
		if (!err)
			err = write_next(merge, source);
		if (err)
			break;
		*bad = (size_t)(source - merge->sources);
		err = advance(source);
	}
	return err;
}

int psr_merge(struct psr_reader *const *readers, size_t count, struct psr_writer *writer, size_t *bad)
{
	struct merge *merge = calloc(1, sizeof(*merge));
	*bad = count;
	if (!merge)
		return -ENOMEM;
	merge->sources = calloc(count, sizeof(*merge->sources));
	merge->count = count;
	merge->writer = writer;
	const struct psr_info *first = psr_reader_info(readers[0]);
	merge->boottime_shift = first->boottime_ns - first->monotonic_ns;
	for (size_t i = 0; i < count && merge->sources; i++)
		merge->sources[i].reader = readers[i];
	int err = merge->sources ? run(merge, bad) : -ENOMEM;
	for (size_t i = 0; i < count && merge->sources; i++) {
		for (unsigned kind = 0; kind < ID_KINDS; kind++)
			table_free(&merge->sources[i].ids[kind]);
		table_free(&merge->sources[i].processes);
	}
	free(merge->sources);
	free(merge);
	return err;
}

void psr_merge_info(struct psr_info *info, struct psr_reader *const *readers, size_t count)
{
	*info = *psr_reader_info(readers[0]);
	snprintf(info->command, sizeof(info->command), "merge of %zu recordings", count);
	for (size_t i = 1; i < count; i++) {
		const struct psr_info *other = psr_reader_info(readers[i]);
		size_t used = strlen(info->machine);
		if (!same_boot(info, other))
			info->boot_id[0] = 0;
		if (!strstr(info->machine, other->machine))
			snprintf(info->machine + used, sizeof(info->machine) - used, "; %s", other->machine);
	}
}
