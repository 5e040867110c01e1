/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two parsers that are given too much: a pattern with back-references, which the
 * C library can only match by trying everything, and one huge JSON document.
 * Machines differ, so each begins small and grows until it hurts.
 */
#include "demo.h"

#include <errno.h>
#include <jansson.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define HURTS_NS (150 * MS)
#define EVERY_NS (700 * MS)

/* ---- regex: "aaaa…!" against a pattern that can split the a's in cubically many ways ---- */

#define MOST_LETTERS 120
static regex_t pattern;
static int compiled;
static size_t letters;

static void scenario_regexec(void *loop)
{
	char text[MOST_LETTERS + 2];
	regmatch_t parts[4];
	uint64_t begin = demo_now_ns();
	/* short texts cost nothing: the first that hurts is found within the first tick or two */
	do {
		memset(text, 'a', letters);
		strcpy(text + letters, "!");
		if (!regexec(&pattern, text, 4, parts, 0))
			return; /* it never matches; the compiler is not to know */
		if (demo_now_ns() - begin < HURTS_NS && letters < MOST_LETTERS)
			letters++;
	} while (demo_now_ns() - begin < HURTS_NS / 2);
}

int demo_regex_start(struct ps_loop *loop)
{
	if (!compiled && regcomp(&pattern, "^(a*)(a*)(a*)\\1\\2\\3b", REG_EXTENDED))
		return -EINVAL;
	compiled = 1;
	letters = letters ? letters : 24;
	return demo_ticker_start(loop, scenario_regexec, 50 * MS, EVERY_NS);
}

/* ---- json: a list of users that somebody sends in one piece ---- */

#define USERS_AT_FIRST 20000
#define MOST_USERS 640000
static const char user[] =
	"{\"id\":1234567,\"name\":\"a user\",\"mail\":\"user@example.org\",\"tags\":[\"a\",\"b\",\"c\"],\"on\":true},";
static char *document;
static size_t users, document_bytes;

static int write_document(size_t count)
{
	size_t each = sizeof(user) - 1, bytes = 2 + count * each;
	char *text = realloc(document, bytes);
	if (!text)
		return -ENOMEM;
	text[0] = '[';
	for (size_t i = 0; i < count; i++)
		memcpy(text + 1 + i * each, user, each);
	text[count * each] = ']'; /* instead of the last comma */
	document = text;
	document_bytes = 1 + count * each;
	users = count;
	return 0;
}

static void scenario_json_loads(void *loop)
{
	uint64_t begin = demo_now_ns();
	json_decref(json_loadb(document, document_bytes, 0, NULL));
	if (demo_now_ns() - begin < HURTS_NS && users < MOST_USERS)
		write_document(users * 2);
}

int demo_json_start(struct ps_loop *loop)
{
	int err = write_document(USERS_AT_FIRST);
	return err ? err : demo_ticker_start(loop, scenario_json_loads, 50 * MS, EVERY_NS);
}

void demo_json_stop(void)
{
	demo_ticker_stop();
	free(document);
	document = NULL;
}
