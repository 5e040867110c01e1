/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Letting go of names: nothing that the model shows may change by it, and what
 * it holds stays bounded however many different stalls it meets.
 */
#include <fcntl.h>
#include <unistd.h>

#include "events.h"
#include "model_own.h"
#include "psr.h"
#include "summary.h"

/* ---- the same document, forgetting or not ---- */

/* What a sender does that has forgotten too: all that may be named again is defined again, under its old number here. */
struct told {
	char *bytes;
	size_t filled, room;
};

static void remember(struct told *told, const struct ps_record *record)
{
	while (told->filled + record->size > told->room) {
		told->room = told->room ? told->room * 2 : 1 << 20;
		told->bytes = realloc(told->bytes, told->room);
		assert_non_null(told->bytes);
	}
	memcpy(told->bytes + told->filled, record, record->size);
	told->filled += record->size;
}

static void tell_again(struct model *model, const struct told *told)
{
	for (size_t at = 0; at < told->filled;) {
		const struct ps_record *record = (const void *)(told->bytes + at);
		assert_int_equal(model_apply(model, record, record->size), 0);
		at += record->size;
	}
}

static char *document_of(const char *path, unsigned clocks_between)
{
	struct model *model = a_model(), *copy = NULL;
	struct psr_reader *reader;
	struct told told = { NULL, 0, 0 };
	const struct ps_record *record;
	unsigned clocks = 0, forgotten = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	while (psr_reader_next(reader, &record) > 0) {
		assert_int_equal(model_apply(model, record, record->size), 0);
		if (record->event <= PS_EV_STACK)
			remember(&told, record);
		if (!clocks_between || record->event != PS_EV_CLOCK || ++clocks % clocks_between)
			continue;
		if (clocks == 3 * clocks_between)
			assert_int_equal(model_clone(&copy, model), 0);
		assert_int_equal(model_forget(model), 0);
		tell_again(model, &told);
		forgotten++;
	}
	assert_true(!clocks_between || forgotten >= 3);
	json_t *document = summary_document(model, "test", 0);
	char *text = json_dumps(document, JSON_INDENT(1));
	json_decref(document);
	if (copy) { /* what it reads is still there */
		document = summary_document(copy, "test", 0);
		assert_non_null(document);
		json_decref(document);
	}
	model_close(copy);
	model_close(model);
	psr_reader_close(reader);
	close(fd);
	free(told.bytes);
	return text;
}

static void compare(const char *path, unsigned clocks_between)
{
	char *plain = document_of(path, 0), *forgetful = document_of(path, clocks_between);
	assert_string_equal(plain, forgetful);
	free(plain);
	free(forgetful);
}

TEST(forgetting_names_changes_nothing_of_what_is_known_of_node)
{
	compare("tests/data/recordings/node.psr", 5);
}

TEST(forgetting_names_changes_nothing_of_what_is_known_of_the_demo)
{
	compare("tests/data/recordings/demo.psr", 5);
}

/* ---- a long day ---- */

#define OUTER 40 /* frames that all stacks have in common */
#define SAMPLES 8
#define SPARE (2u << 20)

/* A stall of 100 ms with its own function, file and path, and stacks that no other has. */
static uint64_t stall(struct model *model, uint64_t ms, uint32_t n)
{
	uint32_t frames[2 + OUTER], first = 1000 + n * (SAMPLES + 1) % 100000;
	char text[64];
	for (uint32_t i = 0; i < OUTER; i++)
		frames[2 + i] = i + 1;
	snprintf(text, sizeof(text), "/var/lib/app/upload-%u.tmp", n);
	string(model, 5, text);
	returns(model, (double)ms, TID, FD, (double)ms - 1, 1);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		snprintf(text, sizeof(text), "handler%u", n * SAMPLES + i);
		APPLY(model, CLOCK, ps_ev_clock, ms + 20 + i, 0, .realtime_ns = 0);
		frame_at(model, first + i, text, "/usr/bin/app", "/srv/app.js", n % 5000 + i, PS_FRAME_JS);
		frames[0] = first + i;
		frames[1] = 1 + i;
		stack_of(model, first + i, frames, 2 + OUTER);
		cpu_sample(model, ms + 20 + i * 5, TID, first + i);
	}
	APPLY(model, OFFCPU, ps_ev_offcpu, ms + 80, TID, .off_ns = (ms + 70) * MS, .wake_ns = (ms + 79) * MS,
	      .state = PS_OFF_DISK, .syscall = 0, .path = 5, .stack = first);
	enter_sums(model, ms + 100, 90, 1, 9);
	return ms + 110;
}

static void tell_outer(struct model *model)
{
	char text[32];
	for (uint32_t i = 1; i <= OUTER; i++) {
		snprintf(text, sizeof(text), "outer%u", i);
		frame(model, i, text);
	}
}

static struct model *watched(uint32_t max_stalls)
{
	const struct model_config config = { .max_stalls = max_stalls };
	struct model *model;
	assert_int_equal(model_open(&model, &config), 0);
	process(model, 1);
	loop_is(model, 1, TID, FD, 0);
	tell_outer(model);
	return model;
}

TEST(names_stay_bounded_over_twenty_thousand_different_stalls)
{
	struct model *model = watched(512);
	size_t kept = 0, most = 0, half = 0, mapped = 0;
	uint64_t ms = 1000;
	for (uint32_t n = 0; n < 20000; n++) {
		const struct names *names = ((struct model_own *)model)->names;
		mapped = keep_mapped(names->keep) > mapped ? keep_mapped(names->keep) : mapped;
		ms = stall(model, ms, n);
		if (model_name_bytes(model) < kept + SPARE)
			continue;
		assert_int_equal(model_forget(model), 0);
		tell_outer(model);
		kept = model_name_bytes(model);
		most = kept > most ? kept : most;
		half = n < 10000 ? most : half;
	}
	assert_int_equal(model->loops[0]->stalls, 20000);
	assert_int_equal(model->stall_count, 512);
	assert_int_equal(model->unnamed, 0);
	/* stalls and culprits are full by half of them: from then on nothing grows */
	assert_in_range(half, 1, 2u << 20);
	assert_in_range(most, 1, half + half / 20);
	/* places of what was let go of are taken again */
	assert_in_range(mapped, 1, most + SPARE + SPARE / 4);
	/* and those that are kept are whole */
	for (size_t i = 0; i < model->stall_count; i++) {
		const struct stall *last = model->stalls[i];
		assert_in_range(last->stack_count, SAMPLES, SAMPLES + 1);
		assert_int_equal(last->stacks[0].stack->count, 2 + OUTER);
		assert_memory_equal(last->stacks[0].stack->frame->name, "handler", 7);
	}
	model_close(model);
}

static size_t in_use(struct model *model)
{
	assert_int_equal(model_forget(model), 0);
	tell_outer(model);
	return model_name_bytes(model);
}

/* What a stall costs in names, while all are kept: its own frames and paths, not those that all have in common. */
TEST(stacks_share_what_they_have_in_common)
{
	struct model *model = watched(4096);
	uint64_t ms = 1000;
	for (uint32_t n = 0; n < 100; n++)
		ms = stall(model, ms, n);
	size_t before = in_use(model);
	for (uint32_t n = 100; n < 1100; n++)
		ms = stall(model, ms, n);
	/* flat, the stacks alone would be SAMPLES * (2 + OUTER) * 8 = 2,688 bytes each */
	assert_in_range((in_use(model) - before) / 1000, 1, 1800);
	model_close(model);
}

/* ---- the store ---- */

#define THINGS 20000u

static const char *numbered(struct keep *keep, uint32_t n)
{
	char text[32];
	snprintf(text, sizeof(text), "function%u", n);
	return keep_string(keep, text);
}

static const struct stack *stack_in(struct keep *keep, uint32_t n)
{
	const struct frame frame = { .name = numbered(keep, n),
				     .file = keep_string(keep, ""),
				     .module = keep_string(keep, "app") };
	const struct stack *outer = &keep_stack(keep, &keep_frame(keep, &frame)->pub, &stack_end.pub)->pub;
	return &keep_stack(keep, &keep_frame(keep, &frame)->pub, outer)->pub;
}

TEST(what_is_marked_stays_where_it_is_and_the_rest_makes_room_for_others)
{
	struct keep *keep;
	static const struct stack *stacks[THINGS];
	assert_int_equal(keep_open(&keep), 0);
	for (uint32_t n = 0; n < THINGS; n++)
		stacks[n] = stack_in(keep, n);
	size_t full = keep_bytes(keep), mapped = keep_mapped(keep);
	for (uint32_t n = 0; n < THINGS; n += 2)
		keep_mark_stack(keep, stacks[n]);
	keep_mark_string(keep, "of the program"); /* not kept here */
	assert_int_equal(keep_sweep(keep), 1);
	assert_in_range(keep_bytes(keep), full / 2, full * 7 / 10);
	for (uint32_t n = 0; n < THINGS; n += 2) {
		assert_ptr_equal(stack_in(keep, n), stacks[n]);
		assert_string_equal(stacks[n]->outer->frame->name, numbered(keep, n));
		assert_string_equal(stacks[n]->frame->module, "app");
	}
	for (uint32_t n = 1; n < THINGS; n += 2)
		stack_in(keep, n);
	assert_int_equal(keep_bytes(keep), full);
	assert_int_equal(keep_mapped(keep), mapped);
	keep_close(keep);
}

TEST(a_store_that_would_be_mostly_empty_is_left_to_be_moved)
{
	struct keep *keep, *to;
	assert_int_equal(keep_open(&keep), 0);
	assert_int_equal(keep_open(&to), 0);
	const struct stack *first = stack_in(keep, 0);
	for (uint32_t n = 1; n < THINGS; n++)
		stack_in(keep, n);
	size_t full = keep_bytes(keep);
	keep_mark_stack(keep, first);
	assert_int_equal(keep_sweep(keep), 0);
	assert_int_equal(keep_bytes(keep), full);
	const struct stack *moved = keep_move_stack(to, first);
	assert_int_equal(moved->count, 2);
	assert_string_equal(moved->frame->name, "function0");
	keep_close(keep);
	assert_ptr_equal(stack_in(to, 0), moved);
	keep_close(to);
}
