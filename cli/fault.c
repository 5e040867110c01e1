/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exit codes and words. Words go to stderr, data to stdout; whatever is said
 * passes the sanitiser, because names of files and targets are foreign text.
 */
#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

const struct exit_row exit_rows[] = {
	{ CLI_OK, "everything went well, or the check passed" },
	{ CLI_FAILED, "a check failed" },
	{ CLI_USAGE, "wrong usage, or input that cannot be read" },
	{ CLI_INCONCLUSIVE, "too little or lossy data to judge; never a pass" },
	{ CLI_DENIED, "not permitted" },
	{ CLI_NO_TARGET, "no such target, or it went before there was any data" },
	{ CLI_KERNEL, "this kernel cannot" },
	{ CLI_OUTPUT, "our own output failed (a full disk, a file that is there already)" },
	{ 0, NULL },
};

static const struct { enum fault_side side; int err; enum exit_code code; } codes[] = {
	{ SIDE_TARGET, EPERM, CLI_DENIED },
	{ SIDE_TARGET, EACCES, CLI_DENIED },
	{ SIDE_TARGET, ENOSYS, CLI_KERNEL },
	{ SIDE_TARGET, EOPNOTSUPP, CLI_NO_TARGET }, /* a kernel thread has no loop and never will */
	{ SIDE_TARGET, ESRCH, CLI_NO_TARGET },
	{ SIDE_TARGET, ENOENT, CLI_NO_TARGET },
	{ SIDE_OUTPUT, EPIPE, CLI_OK }, /* whoever read us has seen enough */
};

enum exit_code fault_code(enum fault_side side, int err)
{
	err = abs(err);
	if (!err)
		return CLI_OK;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].side == side && codes[i].err == err)
			return codes[i].code;
	return side == SIDE_OUTPUT ? CLI_OUTPUT : side == SIDE_TARGET ? CLI_NO_TARGET : CLI_USAGE;
}

static int quiet_words;

static void put_words(const char *format, va_list args)
{
	char raw[1024], clean[1100];
	int bytes = vsnprintf(raw, sizeof(raw), format, args);
	if (bytes < 0)
		return;
	text_clean(clean, sizeof(clean), raw, (size_t)bytes < sizeof(raw) ? (size_t)bytes : sizeof(raw) - 1);
	fprintf(stderr, "pollscope: %s\n", clean);
}

int fault(enum exit_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (code != CLI_OK)
		put_words(format, args);
	va_end(args);
	return code;
}

void say(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (!quiet_words)
		put_words(format, args);
	va_end(args);
}

void say_nothing(int quiet)
{
	quiet_words = quiet;
}
