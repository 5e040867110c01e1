/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of the summary's text. Begin with { .out = FILE }; nothing is printed before line_end(). */
#ifndef SUMMARY_LINE_H
#define SUMMARY_LINE_H

#include <jansson.h>
#include <stdio.h>

struct line {
	FILE *out;
	char text[1024];
	size_t length;
};

__attribute__((format(printf, 2, 3))) void line_say(struct line *line, const char *format, ...);
void line_end(struct line *line); /* cut at 100 columns */
/* Prints what stands in the line and `text`, broken at spaces; further lines are indented. */
void line_wrap(struct line *line, const char *text, int indent);

/* summary_absent.c: what was not measured */
void summary_print_missing(struct line *line, const json_t *document);

#endif
