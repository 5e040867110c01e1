/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain text for pipes: no control characters, each stall once. */
#include <errno.h>

#include "fixture.h"
#include "plain.h"

static char *print(const struct model *model, uint64_t *last)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	setenv("TZ", "UTC", 1);
	assert_int_equal(plain_print(model, NULL, last, out), 0);
	fclose(out);
	return text;
}

static int count_lines(const char *text, const char *with)
{
	int count = 0;
	for (const char *at = text; (at = strstr(at, with)); at++)
		count++;
	return count;
}

TEST(a_block_has_the_loop_the_new_stalls_and_the_verdict)
{
	struct model *model = scene_full();
	uint64_t last = 0;
	char *text = print(model, &last);
	assert_non_null(strstr(text, "loop node[101]"));
	assert_non_null(strstr(text, "412ms  phase poll  cpu 99%  cause cpu  PBKDF2 <- hashPw auth.js:41"));
	assert_int_equal(count_lines(text, "stall  "), 5);
	assert_non_null(strstr(text, "18:06:31  CRIT"));
	assert_non_null(strstr(text, "lost 0"));
	free(text);
	model_close(model);
}

TEST(a_stall_is_told_once_and_when_it_has_ended)
{
	struct model *model = scene_full();
	uint64_t last = 0;
	free(print(model, &last));
	char *text = print(model, &last);
	assert_int_equal(count_lines(text, "stall  "), 0);
	free(text);
	returns(model, SCENE_END, TID, FD, SCENE_END - 5, 1);
	scene_clock(model, SCENE_END + 100);
	text = print(model, &last);
	assert_int_equal(count_lines(text, "stall  "), 0);
	free(text);
	enter(model, SCENE_END + 120, TID, FD, SCENE_END, -1);
	text = print(model, &last);
	assert_int_equal(count_lines(text, "stall  "), 1);
	assert_non_null(strstr(text, "120ms"));
	free(text);
	model_close(model);
}

TEST(a_stall_that_does_not_end_is_told_all_the_same)
{
	struct model *model = scene_full();
	uint64_t last = 0;
	free(print(model, &last));
	returns(model, SCENE_END, TID, FD, SCENE_END - 5, 1);
	scene_clock(model, SCENE_END + 6000);
	char *text = print(model, &last);
	assert_non_null(strstr(text, "6.0s and going on"));
	free(text);
	model_close(model);
}

TEST(plain_text_holds_nothing_that_acts_on_a_terminal)
{
	struct model *model = scene_hostile();
	uint64_t last = 0;
	char *text = print(model, &last);
	for (const char *at = text; *at; at++)
		assert_true((unsigned char)*at >= ' ' || *at == '\n');
	free(text);
	model_close(model);
}

TEST(an_output_that_fails_is_an_error)
{
	struct model *model = scene_full();
	uint64_t last = 0;
	FILE *out = fopen("/dev/full", "w");
	assert_non_null(out);
	assert_int_equal(plain_print(model, NULL, &last, out), -EIO);
	fclose(out);
	model_close(model);
}

TEST(a_filter_chooses_the_stalls_that_are_told)
{
	struct model *model = scene_full();
	uint64_t last = 0;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(plain_print(model, "dur:>90ms !cause:cpu", &last, out), 0);
	fclose(out);
	assert_int_equal(count_lines(text, "stall  "), 1);
	assert_non_null(strstr(text, "fsync(41)"));
	assert_int_equal(last, 5); /* the others are not told later */
	free(text);
	model_close(model);
}
