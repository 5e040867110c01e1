/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of the summary's text: put together in pieces, cleaned, and cut at
 * 100 columns or broken at spaces.
 */
#include "summary_line.h"

#include <stdarg.h>
#include <string.h>

#include "text.h"

#define COLUMNS 100

void line_say(struct line *line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int wrote = vsnprintf(line->text + line->length, sizeof(line->text) - line->length, format, args);
	va_end(args);
	if (wrote > 0)
		line->length += (size_t)wrote;
	if (line->length >= sizeof(line->text))
		line->length = sizeof(line->text) - 1;
}

void line_end(struct line *line)
{
	char cut[sizeof(line->text)];
	size_t room = sizeof(cut);
	while (line->length && line->text[line->length - 1] == ' ') /* that of a wrapped word takes no column */
		line->text[--line->length] = '\0';
	do
		text_clean(cut, room--, line->text, line->length);
	while (room > 4 && text_width(cut) > COLUMNS);
	fprintf(line->out, "%s\n", cut);
	line->length = 0;
	line->text[0] = '\0';
}

void line_wrap(struct line *line, const char *text, int indent)
{
	while (*text) {
		size_t word = strcspn(text, " ");
		char piece[512];
		snprintf(piece, sizeof(piece), "%.*s", (int)(word < sizeof(piece) ? word : sizeof(piece) - 1), text);
		if (line->length && text_width(line->text) + text_width(piece) > COLUMNS &&
		    text_width(line->text) > indent) {
			line_end(line);
			line_say(line, "%*s", indent, "");
		}
		line_say(line, "%s ", piece);
		text += word + (text[word] == ' ');
	}
	line_end(line);
}
