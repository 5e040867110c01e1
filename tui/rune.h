/* SPDX-License-Identifier: BSD-2-Clause */
/* Runes (Unicode code points) as cells of a terminal. */
#ifndef RUNE_H
#define RUNE_H

#include <stdint.h>

#define RUNE_BYTES 4
#define RUNE_REPLACEMENT 0xfffd

/* Decodes the rune at `text`; a byte that is no UTF-8 gives U+FFFD. Returns the bytes taken: 1..4, 0 at the end. */
int rune_decode(const char *text, uint32_t *rune);
/* Returns the bytes written (1..4), without a terminator. */
int rune_encode(char *out, uint32_t rune);
/*
 * Columns of the rune just decoded from `bytes` bytes at `text`: 0, 1 or 2.
 * A control character becomes U+FFFD, one column wide.
 */
int rune_width(const char *text, int bytes, uint32_t *rune);

#endif
