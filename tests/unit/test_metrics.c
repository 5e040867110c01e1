/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics of very many processes and threads with the names that they gave themselves. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "metrics.h"

static uint32_t strings = 100;

static uint32_t text_id(struct model *model, const char *text)
{
	string(model, ++strings, text);
	return strings;
}

/* A process with one loop, which has polled once. */
static void add_loop(struct model *model, uint32_t pid, uint32_t tid, const char *comm, const char *thread)
{
	uint32_t comm_id = text_id(model, comm), thread_id = text_id(model, thread);
	APPLY(model, PROCESS, ps_ev_process, 1, 0, .pid = pid, .comm = comm_id);
	APPLY(model, THREAD, ps_ev_thread, 1, tid, .pid = pid, .name = thread_id, .role = PS_ROLE_LOOP);
	APPLY(model, LOOP, ps_ev_loop, 1, tid, .pid = pid, .poller_fd = 3, .backend = PS_BACKEND_EPOLL);
	APPLY(model, POLL_ENTER, ps_ev_poll_enter, 2, tid, .poller_fd = 3, .busy_since_ns = 0, .timeout_ns = -1);
	APPLY(model, POLL_RETURN, ps_ev_poll_return, 3, tid, .poller_fd = 3, .entered_ns = 2 * MS, .ready = 1);
}

static char *printed(const struct model *model, enum metrics_format format)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	assert_int_equal(metrics_print(model, format, 0, "test", out), 0);
	fclose(out);
	return text;
}

/* Lines of a family, and what they add up to; no label may be there twice. */
static unsigned count_series(const char *text, const char *family, double *sum)
{
	char *copy = strdup(text), *state = NULL, *seen[METRICS_GROUPS + 8];
	size_t length = strlen(family);
	unsigned count = 0;
	*sum = 0;
	for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		if (strncmp(line, family, length) || line[length] != '{')
			continue;
		char *value = strrchr(line, ' ');
		assert_non_null(value);
		*value = '\0';
		*sum += atof(value + 1);
		assert_true(count < METRICS_GROUPS);
		for (unsigned i = 0; i < count; i++)
			assert_string_not_equal(seen[i], line);
		seen[count++] = line;
	}
	free(copy);
	return count;
}

static void assert_bounded(const struct model *model, unsigned loops)
{
	for (int format = METRICS_TEXT; format <= METRICS_OPENMETRICS; format++) {
		char *text = printed(model, format);
		double sum;
		assert_true(count_series(text, "pollscope_loops", &sum) <= METRICS_GROUPS);
		assert_int_equal(sum, loops);
		assert_true(count_series(text, "pollscope_loop_polls_total", &sum) <= METRICS_GROUPS);
		assert_int_equal(sum, loops);
		assert_non_null(strstr(text, "{process=\"other\",thread=\"other\"}"));
		assert_true(strlen(text) < 4u << 20);
		free(text);
	}
}

TEST(a_thousand_names_are_two_hundred_series_and_their_sum_is_that_of_all)
{
	struct model *model = a_model();
	char comm[32], thread[32];
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(comm, sizeof(comm), "worker-%u", i / 2);
		snprintf(thread, sizeof(thread), "t%u", i);
		add_loop(model, 1000 + i / 2, 5000 + i, comm, thread);
	}
	assert_bounded(model, 1000);
	model_close(model);
}

TEST(a_process_that_calls_itself_other_is_bounded_too)
{
	struct model *model = a_model();
	char thread[32];
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(thread, sizeof(thread), "t%u", i);
		add_loop(model, 77, 5000 + i, "other", thread);
	}
	assert_bounded(model, 1000);
	model_close(model);
}

TEST(hostile_names_stay_one_label)
{
	struct model *model = a_model();
	add_loop(model, 1, 10, "a\"b\\c\nd", "e} 1\nevil 2");
	char *text = printed(model, METRICS_OPENMETRICS);
	double sum;
	assert_int_equal(count_series(text, "pollscope_loops", &sum), 1);
	assert_null(strstr(text, "\nevil"));
	assert_null(strstr(text, "\nd\""));
	assert_null(strstr(text, "a\"b"));
	free(text);
	model_close(model);
}
