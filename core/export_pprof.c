/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pprof's profile of what blocked the loops: gzip'ed protobuf, for pprof,
 * Pyroscope, Parca and speedscope. A stack of a stall is a sample with two
 * values, how often it was seen and its share of the stall's length.
 *
 * The parts of the message may come in any order, so everything is written when
 * it is first met: memory grows with distinct names and frames only.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "export.h"
#include "export_pb.h"
#include "table.h"

enum profile_field {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9,
	PROFILE_DURATION = 10,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_TYPE = 14,
};
enum { TYPE_NAME = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_TEXT = 2, LABEL_NUMBER = 3 };
enum { LOCATION_ID = 1, LOCATION_LINE = 4, LINE_FUNCTION = 1, LINE_NUMBER = 2, LINE_COLUMN = 3 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3, FUNCTION_FILE = 4 };

struct pprof {
	struct stall_cursor stalls;
	struct table strings, functions, locations; /* hash of what it is -> number */
	uint64_t string_count, function_count, location_count;
	z_stream zip;
	int zip_open, error;
	struct pb part; /* one field of the profile */
	unsigned char packed[1 << 14];
};

static int deflate_all(struct export_run *run, const void *bytes, size_t count, int flush)
{
	struct pprof *state = run->state;
	z_stream *zip = &state->zip;
	int done;
	zip->next_in = (Bytef *)(uintptr_t)bytes;
	zip->avail_in = (uInt)count;
	do {
		zip->next_out = state->packed;
		zip->avail_out = sizeof(state->packed);
		done = deflate(zip, flush);
		size_t got = sizeof(state->packed) - zip->avail_out;
		if (got && fwrite(state->packed, 1, got, run->out) != got)
			return errno ? -errno : -EIO;
	} while (zip->avail_in || !zip->avail_out || (flush == Z_FINISH && done == Z_OK));
	return 0;
}

static void end_part(struct export_run *run)
{
	struct pprof *state = run->state;
	int err = state->part.bad ? -E2BIG : deflate_all(run, state->part.bytes, state->part.used, Z_NO_FLUSH);
	state->error = state->error ? state->error : err;
	state->part.used = 0;
	state->part.bad = 0;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return (hash ^ 0xFF) * 0x100000001b3ull;
}
#define HASH_BEGIN 0xcbf29ce484222325ull

/* The number under a hash; 1 in *is_new when it had none. */
static uint64_t number_of(struct pprof *state, struct table *table, uint64_t hash, uint64_t *count, int *is_new)
{
	uint64_t number = table_get(table, hash);
	*is_new = !number;
	if (number)
		return number;
	if (table_put(table, hash, ++*count))
		state->error = -ENOMEM;
	return *count;
}

/* Number of the string; not within another part. */
static uint64_t string_id(struct export_run *run, const char *text)
{
	struct pprof *state = run->state;
	int is_new;
	if (!*text)
		return 0;
	uint64_t id = number_of(state, &state->strings, hash_text(HASH_BEGIN, text), &state->string_count, &is_new);
	if (is_new) {
		pb_text(&state->part, PROFILE_STRING, text);
		end_part(run);
	}
	return id;
}

static const char *frame_name(const struct frame *frame, char out[512])
{
	if (frame->name[0])
		return frame->name;
	snprintf(out, 512, "%.400s+0x%x", frame->module[0] ? frame->module : "[unresolved]", frame->offset);
	return out;
}

static uint64_t function_id(struct export_run *run, const struct frame *frame)
{
	struct pprof *state = run->state;
	char room[512];
	const char *name = frame_name(frame, room);
	int is_new;
	uint64_t hash = hash_text(hash_text(hash_text(HASH_BEGIN, name), frame->file), frame->module);
	uint64_t id = number_of(state, &state->functions, hash, &state->function_count, &is_new);
	if (!is_new)
		return id;
	uint64_t named = string_id(run, name), file = string_id(run, frame->file[0] ? frame->file : frame->module);
	size_t mark = pb_open(&state->part, PROFILE_FUNCTION);
	pb_number(&state->part, FUNCTION_ID, id);
	pb_number(&state->part, FUNCTION_NAME, named);
	pb_number(&state->part, FUNCTION_SYSTEM_NAME, named);
	pb_number(&state->part, FUNCTION_FILE, file);
	pb_close(&state->part, mark);
	end_part(run);
	return id;
}

static uint64_t location_id(struct export_run *run, const struct frame *frame)
{
	struct pprof *state = run->state;
	int is_new;
	uint64_t function = function_id(run, frame);
	uint64_t hash = (function << 40 ^ (uint64_t)frame->line << 16 ^ frame->column) * 0x9E3779B97F4A7C15ull | 1;
	uint64_t id = number_of(state, &state->locations, hash, &state->location_count, &is_new);
	if (!is_new)
		return id;
	size_t mark = pb_open(&state->part, PROFILE_LOCATION);
	pb_number(&state->part, LOCATION_ID, id);
	size_t line = pb_open(&state->part, LOCATION_LINE);
	pb_number(&state->part, LINE_FUNCTION, function);
	pb_number(&state->part, LINE_NUMBER, frame->line);
	pb_number(&state->part, LINE_COLUMN, frame->column);
	pb_close(&state->part, line);
	pb_close(&state->part, mark);
	end_part(run);
	return id;
}

static void put_label(struct pb *part, uint64_t key, uint64_t text, uint64_t number)
{
	size_t mark = pb_open(part, SAMPLE_LABEL);
	pb_number(part, LABEL_KEY, key);
	pb_number(part, text ? LABEL_TEXT : LABEL_NUMBER, text ? text : number);
	pb_close(part, mark);
}

static void put_sample(struct export_run *run, const struct stall *stall, const struct stall_stack *sampled)
{
	struct pprof *state = run->state;
	struct pb *part = &state->part;
	uint64_t locations[MODEL_STACK_FRAMES];
	uint32_t count = 0;
	const struct process *process = stall->loop->process;
	for (const struct stack *stack = sampled->stack; stack->count && count < MODEL_STACK_FRAMES; stack = stack->outer)
		locations[count++] = location_id(run, stack->frame);
	uint64_t keys[] = { string_id(run, "process"), string_id(run, "cause"), string_id(run, "rule"),
			    string_id(run, "thread") };
	uint64_t comm = string_id(run, process && process->comm[0] ? process->comm : "process");
	uint64_t cause = string_id(run, stall_cause_name(stall->cause)),
		 rule = string_id(run, stall_rule_name(stall->rule));
	size_t mark = pb_open(part, PROFILE_SAMPLE);
	for (uint32_t i = 0; i < count; i++)
		pb_number(part, SAMPLE_LOCATIONS, locations[i]);
	pb_number(part, SAMPLE_VALUES, sampled->count);
	pb_number(part, SAMPLE_VALUES,
		  stall->samples ? (uint64_t)((unsigned __int128)stall->duration_ns * sampled->count / stall->samples)
				 : 0);
	put_label(part, keys[0], comm, 0);
	put_label(part, keys[1], cause, 0);
	put_label(part, keys[2], rule, 0);
	put_label(part, keys[3], 0, stall->loop->tid);
	pb_close(part, mark);
	end_part(run);
}

static int put_stall(void *arg, const struct stall *stall)
{
	struct export_run *run = arg;
	struct pprof *state = run->state;
	for (uint32_t i = 0; i < stall->stack_count; i++)
		if (stall->stacks[i].stack && stall->stacks[i].stack->count)
			put_sample(run, stall, &stall->stacks[i]);
	return state->error;
}

static void put_type(struct export_run *run, const char *name, const char *unit)
{
	struct pprof *state = run->state;
	uint64_t named = string_id(run, name), of = string_id(run, unit);
	size_t mark = pb_open(&state->part, PROFILE_SAMPLE_TYPE);
	pb_number(&state->part, TYPE_NAME, named);
	pb_number(&state->part, TYPE_UNIT, of);
	pb_close(&state->part, mark);
	end_part(run);
}

static int begin(struct export_run *run)
{
	struct pprof *state = run->state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	if (deflateInit2(&state->zip, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	state->zip_open = 1;
	pb_text(&state->part, PROFILE_STRING, ""); /* number 0 */
	end_part(run);
	put_type(run, "samples", "count");
	put_type(run, "stalled", "nanoseconds");
	return state->error;
}

static int record(struct export_run *run, const struct ps_record *record)
{
	struct pprof *state = run->state;
	return record->event == PS_EV_POLL_ENTER ? stalls_each_closed(&state->stalls, run->model, put_stall, run)
						 : state->error;
}

static void put_end(struct export_run *run)
{
	struct pprof *state = run->state;
	const struct model *model = run->model;
	char text[64];
	snprintf(text, sizeof(text), "%llu events lost", (unsigned long long)model->lost_total);
	uint64_t comment = string_id(run, text), stalled = string_id(run, "stalled");
	if (run->info->realtime_ns)
		pb_number(&state->part, PROFILE_TIME,
			  run->info->realtime_ns - run->info->monotonic_ns + model->start_ns);
	pb_number(&state->part, PROFILE_DURATION,
		  model->now_ns > model->start_ns ? model->now_ns - model->start_ns : 0);
	pb_number(&state->part, PROFILE_COMMENT, comment);
	pb_number(&state->part, PROFILE_DEFAULT_TYPE, stalled);
	end_part(run);
}

static int end(struct export_run *run)
{
	struct pprof *state = run->state;
	if (!state)
		return 0;
	int err = state->zip_open ? stalls_each_closed(&state->stalls, run->model, put_stall, run) : 0;
	for (size_t i = 0; state->zip_open && i < run->model->loop_count && !err; i++)
		if (run->model->loops[i]->open_stall)
			err = put_stall(run, run->model->loops[i]->open_stall);
	if (!err && state->zip_open) {
		put_end(run);
		err = state->error ? state->error : deflate_all(run, "", 0, Z_FINISH);
	}
	if (state->zip_open)
		deflateEnd(&state->zip);
	table_free(&state->strings);
	table_free(&state->functions);
	table_free(&state->locations);
	free(state);
	run->state = NULL;
	return err;
}

const struct exporter export_pprof = {
	.name = "pprof",
	.suffix = ".pb.gz",
	.note = "profile of the stalls, for pprof and profile stores",
	.begin = begin,
	.record = record,
	.end = end,
};
