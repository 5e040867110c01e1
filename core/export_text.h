/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON text for exporters that stream: what jansson would need the whole document for. */
#ifndef EXPORT_TEXT_H
#define EXPORT_TEXT_H

#include <stdio.h>

/* A JSON string with its quotes. The text is clean UTF-8 (text_clean). */
static inline void json_put_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			putc('\\', out);
		if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

#endif
