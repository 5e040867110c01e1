/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UTF-8 to runes and back, for cells. How wide a rune is, is decided in one
 * place of the program: text_width(); here is only the short way for ASCII.
 */
#include "rune.h"

#include <string.h>

#include "text.h"

static int is_tail(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* the value, or U+FFFD for overlong forms, surrogates and values past Unicode */
static uint32_t checked(uint32_t rune, int bytes)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (rune < least[bytes] || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		return RUNE_REPLACEMENT;
	return rune;
}

int rune_decode(const char *text, uint32_t *rune)
{
	const unsigned char *in = (const unsigned char *)text;
	int bytes = in[0] < 0x80 ? 1 : in[0] < 0xc0 ? 0 : in[0] < 0xe0 ? 2 : in[0] < 0xf0 ? 3 : in[0] < 0xf8 ? 4 : 0;

	*rune = RUNE_REPLACEMENT;
	if (!in[0])
		return 0;
	if (!bytes)
		return 1;
	if (bytes == 1) {
		*rune = in[0];
		return 1;
	}
	uint32_t value = in[0] & (0x7fu >> bytes);
	for (int i = 1; i < bytes; i++) {
		if (!is_tail(in[i]))
			return i;
		value = value << 6 | (in[i] & 0x3f);
	}
	*rune = checked(value, bytes);
	return bytes;
}

int rune_encode(char *out, uint32_t rune)
{
	if (rune < 0x80) {
		out[0] = (char)rune;
		return 1;
	}
	int bytes = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
	for (int i = bytes - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (rune & 0x3f));
		rune >>= 6;
	}
	out[0] = (char)((0xf0u << (4 - bytes)) | rune);
	return bytes;
}

int rune_width(const char *text, int bytes, uint32_t *rune)
{
	char one[RUNE_BYTES + 1];

	if (*rune < 0x20 || (*rune >= 0x7f && *rune < 0xa0))
		*rune = RUNE_REPLACEMENT;
	if (*rune < 0x80 || *rune == RUNE_REPLACEMENT)
		return 1;
	memcpy(one, text, (size_t)bytes);
	one[bytes] = '\0';
	int width = text_width(one);
	return width < 0 ? 0 : width > 2 ? 2 : width;
}
