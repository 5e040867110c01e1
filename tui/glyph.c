/* SPDX-License-Identifier: BSD-2-Clause */
/* The two sets of glyphs. All are one column wide in every terminal, none is of ambiguous width by accident of locale. */
#include "glyph.h"

static const struct glyphs sets[] = {
	{
		.rule = 0x2500, .wall = 0x2502, .corner = 0x252c, .cross = 0x253c,
		.bar = 0x2588, .bar_empty = 0xb7,
		.level = { 0xb7, 0x2581, 0x2583, 0x2586, 0x2588 },
		.ellipsis = "\xe2\x80\xa6", .up = "\xe2\x96\xb4", .down = "\xe2\x96\xbe", .selected = ">",
	},
	{
		.rule = '-', .wall = '|', .corner = '+', .cross = '+',
		.bar = '#', .bar_empty = '.',
		.level = { '.', '-', '+', '#', '@' },
		.ellipsis = ">", .up = "^", .down = "v", .selected = ">",
	},
};

const struct glyphs *glyphs_of(int ascii)
{
	return &sets[ascii != 0];
}
