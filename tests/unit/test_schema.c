/* SPDX-License-Identifier: BSD-2-Clause */
/* The field table against the structs, and the checker that guards every door. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "schema.h"

TEST(fields_tile_every_payload_without_gap_or_overlap)
{
	for (unsigned event = 0; event < PS_EVENT_MAX; event++) {
		const struct event_schema *schema = schema_event(event);
		if (!schema)
			continue;
		size_t next = sizeof(struct ps_record);
		for (unsigned i = 0; i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];
			if (field->offset != next || field->offset % field->size)
				fail_msg("%s.%s at %u, expected %zu", schema->name, field->name, field->offset, next);
			assert_true(field->size == 2 || field->size == 4 || field->size == 8);
			next += field->size;
		}
		if (next != schema->size || schema->size % 8)
			fail_msg("%s: fields end at %zu of %u", schema->name, next, schema->size);
	}
}

TEST(every_event_of_the_vocabulary_has_a_schema_of_its_structs_size)
{
	unsigned events = 0;
#define PS_X(value, NAME, type, text)                                            \
	assert_non_null(schema_event(PS_EV_##NAME));                             \
	assert_string_equal(schema_event(PS_EV_##NAME)->name, text);             \
	assert_int_equal(schema_event(PS_EV_##NAME)->size, sizeof(struct type)); \
	events++;
	PS_EVENTS(PS_X)
#undef PS_X
	unsigned known = 0;
	for (unsigned event = 0; event < 2 * PS_EVENT_MAX; event++)
		known += schema_event(event) != NULL;
	assert_int_equal(known, events);
	assert_null(schema_event(UINT32_MAX));
}

TEST(names_and_times_are_marked_by_their_unit)
{
	for (unsigned event = 0; event < PS_EVENT_MAX; event++) {
		const struct event_schema *schema = schema_event(event);
		for (unsigned i = 0; schema && i < schema->field_count; i++) {
			const struct field *field = &schema->fields[i];
			assert_int_equal(!strcmp(field->name, "zero"), field->unit == UNIT_PADDING);
			if (field->unit == UNIT_TIME)
				assert_int_equal(field->size, 8);
			else
				assert_true(field->link < GUESSES && (field->unit == UNIT_NS || !field->link));
			if (field->unit == UNIT_TIME && field->link)
				assert_non_null(schema_event(field->link));
			for (unsigned j = 0; j < i; j++)
				assert_string_not_equal(schema->fields[j].name, field->name);
		}
	}
}

TEST(values_are_read_with_their_sign_and_width)
{
	struct ps_ev_poll_return event = { .h.size = sizeof(event), .h.event = PS_EV_POLL_RETURN,
		.poller_fd = -1, .ready = -4, .entered_ns = UINT64_MAX, .backend = 0xFFFFFFFF };
	const struct event_schema *schema = schema_event(PS_EV_POLL_RETURN);
	assert_int_equal((int64_t)schema_value(&event.h, &schema->fields[0]), -1);
	assert_int_equal((int64_t)schema_value(&event.h, &schema->fields[1]), -4);
	assert_true(schema_value(&event.h, &schema->fields[2]) == UINT64_MAX);
	assert_true(schema_value(&event.h, &schema->fields[3]) == 0xFFFFFFFF);
}

TEST(the_checker_refuses_short_odd_unknown_and_overlong_records)
{
	char bytes[64] = { 0 };
	struct ps_ev_string *string = (struct ps_ev_string *)bytes;
	string->h.event = PS_EV_STRING;
	string->h.size = 32;
	string->len = 8;
	assert_true(schema_check(&string->h, 32));
	assert_true(schema_check(&string->h, 64));
	assert_false(schema_check(&string->h, 31));
	assert_false(schema_check(&string->h, 8));
	string->len = 9;
	assert_false(schema_check(&string->h, 64));
	string->len = UINT32_MAX;
	assert_false(schema_check(&string->h, 64));
	string->len = 8;
	string->h.size = 31;
	assert_false(schema_check(&string->h, 64));
	string->h.size = 16;
	assert_false(schema_check(&string->h, 64));
	string->h.event = 5;
	string->h.size = 32;
	assert_false(schema_check(&string->h, 64));
	struct ps_ev_stack *stack = (struct ps_ev_stack *)bytes;
	stack->h.event = PS_EV_STACK;
	stack->count = 2;
	assert_true(schema_check(&stack->h, 64));
	stack->count = 0x40000001; /* four times that is 4 in 32 bits */
	assert_false(schema_check(&stack->h, 64));
}

TEST(the_checker_reads_no_byte_past_the_end)
{
	long page = sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + page, (size_t)page, PROT_NONE), 0);
	srand(1);
	for (unsigned round = 0; round < 200000; round++) {
		size_t bytes = (size_t)(rand() % 14) * 8;
		char *at = pages + page - bytes;
		for (size_t i = 0; i < bytes; i++)
			at[i] = (char)rand();
		struct ps_record *record = (struct ps_record *)at;
		if (bytes >= sizeof(*record) && rand() % 4) {
			record->event = (uint16_t)(rand() % PS_EVENT_MAX);
			record->size = (uint16_t)(rand() % 16 * 8);
		}
		if (!schema_check(record, bytes))
			continue;
		const struct event_schema *schema = schema_event(record->event);
		uint64_t sum = schema_tail_bytes(record);
		for (unsigned i = 0; i < schema->field_count; i++)
			sum += schema_value(record, &schema->fields[i]);
		assert_true(record->size <= bytes);
		*(volatile uint64_t *)&sum = sum;
	}
	munmap(pages, (size_t)(2 * page));
}

TEST(vocabularies_have_names_and_foreign_values_a_question_mark)
{
	assert_string_equal(phase_name(PS_PHASE_POLL), "poll");
	assert_string_equal(backend_name(PS_BACKEND_IO_URING), "io_uring");
	assert_string_equal(work_kind_name(PS_WORK_CRYPTO), "crypto");
	assert_string_equal(kind_name(PS_KIND_DNS), "dns");
	assert_string_equal(frame_kind_name(PS_FRAME_JS), "js");
	assert_string_equal(lost_source_name(PS_LOST_FILE), "file");
	assert_string_equal(probe_group_name(PS_PROBE_PROC), "proc");
	assert_string_equal(probe_state_name(PS_PROBE_STATE_MISSING), "missing");
	assert_string_equal(phase_name(PS_PHASE_COUNT), "?");
	assert_string_equal(kind_name(UINT32_MAX), "?");
}

TEST(system_calls_have_the_names_of_this_machine)
{
	assert_string_equal(syscall_name(SYS_read), "read");
	assert_string_equal(syscall_name(SYS_epoll_pwait), "epoll_pwait");
	assert_string_equal(syscall_name(SYS_clock_nanosleep), "clock_nanosleep");
	assert_string_equal(syscall_name(SYS_fsync), "fsync");
	assert_string_equal(syscall_name(426), "io_uring_enter");
	assert_string_equal(syscall_name(441), "epoll_pwait2");
#ifdef __x86_64__
	assert_string_equal(syscall_name(SYS_epoll_wait), "epoll_wait");
	assert_string_equal(syscall_name(SYS_poll), "poll");
#endif
	assert_null(syscall_name(-1));
	assert_null(syscall_name(INT32_MIN));
	assert_null(syscall_name(400)); /* never given out */
	assert_null(syscall_name(INT32_MAX));
}
