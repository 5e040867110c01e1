/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protobuf, writing only: varints, length-delimited fields and nesting into a
 * fixed buffer. A message's length is a varint of four bytes, written when the
 * message is closed, so nothing is moved. What does not fit marks the buffer
 * as bad; the caller asks once, at the end.
 */
#ifndef EXPORT_PB_H
#define EXPORT_PB_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PB_ROOM 16384

struct pb {
	size_t used;
	int bad;
	unsigned char bytes[PB_ROOM];
};

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2 };

static inline void pb_raw(struct pb *pb, uint64_t value)
{
	if (pb->used + 10 > PB_ROOM) {
		pb->bad = 1;
		return;
	}
	for (; value >= 0x80; value >>= 7)
		pb->bytes[pb->used++] = (unsigned char)(value | 0x80);
	pb->bytes[pb->used++] = (unsigned char)value;
}

static inline void pb_number(struct pb *pb, unsigned field, uint64_t value)
{
	pb_raw(pb, (uint64_t)field << 3 | PB_VARINT);
	pb_raw(pb, value);
}

static inline void pb_fixed(struct pb *pb, unsigned field, uint64_t value)
{
	pb_raw(pb, (uint64_t)field << 3 | PB_FIXED64);
	if (pb->used + 8 > PB_ROOM) {
		pb->bad = 1;
		return;
	}
	for (unsigned i = 0; i < 8; i++, value >>= 8)
		pb->bytes[pb->used++] = (unsigned char)value;
}

static inline void pb_text(struct pb *pb, unsigned field, const char *text)
{
	size_t length = strlen(text);
	pb_raw(pb, (uint64_t)field << 3 | PB_BYTES);
	pb_raw(pb, length);
	if (pb->used + length > PB_ROOM) {
		pb->bad = 1;
		return;
	}
	memcpy(pb->bytes + pb->used, text, length);
	pb->used += length;
}

/* Opens a message; the answer goes to pb_close(). */
static inline size_t pb_open(struct pb *pb, unsigned field)
{
	pb_raw(pb, (uint64_t)field << 3 | PB_BYTES);
	if (pb->used + 4 > PB_ROOM) {
		pb->bad = 1;
		return 0;
	}
	pb->used += 4;
	return pb->used;
}

static inline void pb_close(struct pb *pb, size_t mark)
{
	size_t length = pb->used - mark;
	if (pb->bad)
		return;
	for (unsigned i = 0; i < 4; i++, length >>= 7)
		pb->bytes[mark - 4 + i] = (unsigned char)((length & 0x7F) | (i < 3 ? 0x80 : 0));
}

#endif
