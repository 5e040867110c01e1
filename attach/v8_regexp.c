/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which regular expression a thread is matching: the object lies on its stack,
 * as an argument of what JavaScript called. The stack goes on while it is read,
 * and has words of calls that are over; so of all expressions on it that one is
 * taken that is there most often, and none when the stack has none.
 */
#include "v8_parts.h"

#include <errno.h>
#include <string.h>

#define STACK_BYTES 16384u
#define KINDS       8       /* different expressions that are told apart */

struct vote {
	uint64_t object;
	unsigned count;
};

/* Expressions on the stack from `sp` on; returns how many differ. */
static size_t count_votes(struct v8_reader *reader, uint64_t sp, struct vote votes[KINDS])
{
	uint64_t words[64];
	size_t kinds = 0;

	for (uint64_t at = sp & ~7ull; at < sp + STACK_BYTES; at += sizeof(words)) {
		if (v8_read(reader, at, words, sizeof(words)))
			break;
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
			size_t k = 0;

			if ((words[i] & 3) != 1 || v8_type(reader, words[i]) != reader->layout.js_regexp)
				continue;
			while (k < kinds && votes[k].object != words[i])
				k++;
			if (k == kinds && kinds < KINDS)
				votes[kinds++] = (struct vote){ words[i], 0 };
			if (k < kinds)
				votes[k].count++;
		}
	}
	return kinds;
}

int v8_regexp_on_stack(struct v8_reader *reader, uint64_t sp, char *out, size_t room)
{
	const struct v8_layout *at = &reader->layout;
	struct vote votes[KINDS], *best = votes;

	if (at->js_regexp == V8_NONE || at->regexp_source == V8_NONE || !sp)
		return -ENOTSUP;
	size_t kinds = count_votes(reader, sp, votes);
	for (size_t i = 1; i < kinds; i++)
		if (votes[i].count > best->count)
			best = &votes[i];
	if (!kinds)
		return -ENOENT;
	return v8_string(reader, v8_field(reader, best->object, at->regexp_source), out, room) > 0 ? 0 : -EINVAL;
}
