/* SPDX-License-Identifier: BSD-2-Clause */
/* The emitter. */
#include "loops.h"

static struct ps_emitter *emitter;

static void write_arg(const char *name, void *data, void *arg)
{
	note(arg);
}

TEST(listeners_are_called_in_order_by_name)
{
	ok(ps_emitter_open(&emitter));
	ok(ps_emitter_on(emitter, "x", write_arg, "a"));
	ok(ps_emitter_on(emitter, "y", write_arg, "b"));
	ok(ps_emitter_on(emitter, "x", write_arg, "c"));
	assert_int_equal(ps_emitter_emit(emitter, "x", NULL), 2);
	assert_int_equal(ps_emitter_emit(emitter, "y", NULL), 1);
	assert_int_equal(ps_emitter_emit(emitter, "z", NULL), 0);
	assert_string_equal(trace, "a c b ");
	ps_emitter_close(emitter);
}

TEST(once_is_called_once_even_if_it_emits_again)
{
	ok(ps_emitter_open(&emitter));
	ok(ps_emitter_once(emitter, "x", write_arg, "a"));
	assert_int_equal(ps_emitter_emit(emitter, "x", NULL), 1);
	assert_int_equal(ps_emitter_emit(emitter, "x", NULL), 0);
	assert_int_equal(ps_emitter_off(emitter, "x", write_arg, "a"), -ENOENT);
	ps_emitter_close(emitter);
}

static void change(const char *name, void *data, void *arg)
{
	note("change");
	ok(ps_emitter_off(emitter, name, change, NULL));
	ok(ps_emitter_off(emitter, name, write_arg, "gone"));
	ok(ps_emitter_on(emitter, name, write_arg, "new"));
	if (data)
		assert_int_equal(ps_emitter_emit(emitter, name, NULL), 2);
}

TEST(listeners_removed_and_added_while_emitting)
{
	ok(ps_emitter_open(&emitter));
	ok(ps_emitter_on(emitter, "x", change, NULL));
	ok(ps_emitter_on(emitter, "x", write_arg, "gone"));
	ok(ps_emitter_on(emitter, "x", write_arg, "stays"));
	assert_int_equal(ps_emitter_emit(emitter, "x", NULL), 2);
	assert_string_equal(trace, "change stays ");
	assert_int_equal(ps_emitter_emit(emitter, "x", NULL), 2);
	assert_string_equal(trace, "change stays stays new ");
	ps_emitter_close(emitter);
}

TEST(an_emit_inside_an_emit_sees_what_the_outer_one_changed)
{
	ok(ps_emitter_open(&emitter));
	ok(ps_emitter_on(emitter, "x", change, NULL));
	ok(ps_emitter_on(emitter, "x", write_arg, "gone"));
	ok(ps_emitter_on(emitter, "x", write_arg, "stays"));
	assert_int_equal(ps_emitter_emit(emitter, "x", "again"), 2);
	assert_string_equal(trace, "change stays new stays ");
	ps_emitter_close(emitter);
}

static void close_emitter(const char *name, void *data, void *arg)
{
	ps_emitter_close(emitter);
	assert_int_equal(ps_emitter_emit(emitter, name, NULL), -EINVAL);
}

TEST(a_listener_may_close_the_emitter)
{
	ok(ps_emitter_open(&emitter));
	ok(ps_emitter_on(emitter, "x", close_emitter, NULL));
	ok(ps_emitter_on(emitter, "x", write_arg, "never"));
	assert_int_equal(ps_emitter_emit(emitter, "x", NULL), 1);
	assert_string_equal(trace, "");
	ps_emitter_close(NULL);
}

TEST(wrong_arguments_of_the_emitter_are_refused)
{
	ok(ps_emitter_open(&emitter));
	assert_int_equal(ps_emitter_open(NULL), -EINVAL);
	assert_int_equal(ps_emitter_on(emitter, NULL, write_arg, NULL), -EINVAL);
	assert_int_equal(ps_emitter_on(emitter, "x", NULL, NULL), -EINVAL);
	assert_int_equal(ps_emitter_emit(emitter, NULL, NULL), -EINVAL);
	assert_int_equal(ps_emitter_off(emitter, "x", write_arg, NULL), -ENOENT);
	ps_emitter_close(emitter);
}
