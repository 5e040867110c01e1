/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the heap of a process that runs on.
 *
 * Small reads go through a cache of pages that lives for one turn (a stack, or
 * some that came at once): within it equal addresses give equal answers, and the
 * next turn sees what has moved. Behind the deadline every read fails, so that no
 * heap, however it is made, holds us.
 * One thread reads, one turn after the other: so all readers have one cache.
 */
#include "v8_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAX 512
#define COPY_MAX  (4u << 20)
#define INDEX_MAX (1 << 24)
#define HOPS_MAX  3
#define PAGES      256

struct page {
	uint64_t address;  /* 0 = empty */
	uint64_t turn;     /* good in this turn only */
	uint8_t bytes[V8_PAGE_BYTES];
};

static struct page pages[PAGES];
static uint64_t turns;

void v8_turn(struct v8_reader *reader, uint64_t deadline_ns)
{
	reader->turn = ++turns;
	reader->deadline = (struct deadline){ .ns = deadline_ns };
}

static int read_now(struct v8_reader *reader, uint64_t address, void *out, size_t bytes)
{
	if (deadline_passed(&reader->deadline))
		return -ETIME;
	return reader->read(reader->arg, address, out, bytes);
}

static const uint8_t *page_at(struct v8_reader *reader, uint64_t address)
{
	struct page *page = &pages[address / V8_PAGE_BYTES % PAGES];

	if (!reader->turn)
		reader->turn = ++turns;
	if (page->address == address && page->turn == reader->turn)
		return page->bytes;
	page->address = 0;
	if (!address || read_now(reader, address, page->bytes, V8_PAGE_BYTES))
		return NULL;
	page->address = address;
	page->turn = reader->turn;
	return page->bytes;
}

int v8_read(struct v8_reader *reader, uint64_t address, void *out, size_t bytes)
{
	uint8_t *to = out;

	if (address + bytes < address)
		return -EFAULT;
	if (bytes > SMALL_MAX)
		return read_now(reader, address, out, bytes);
	while (bytes) {
		size_t at = address % V8_PAGE_BYTES;
		size_t part = V8_PAGE_BYTES - at < bytes ? V8_PAGE_BYTES - at : bytes;
		const uint8_t *page = page_at(reader, address - at);

		if (!page)
			return -EFAULT;
		memcpy(to, page + at, part);
		to += part;
		address += part;
		bytes -= part;
	}
	return 0;
}

int v8_is_smi(uint64_t word)
{
	return !(word & 1);
}

int32_t v8_smi_value(const struct v8_reader *reader, uint64_t word)
{
	return (int64_t)word >> reader->layout.smi_shift_bits;
}

/* Strong references end in 01, weak ones in 11; both are to the same place. */
static uint64_t place_of(uint64_t object)
{
	return object & ~3ull;
}

uint64_t v8_field(struct v8_reader *reader, uint64_t object, int32_t offset)
{
	uint64_t word;

	if (v8_is_smi(object) || offset < 0 || v8_read(reader, place_of(object) + offset, &word, sizeof(word)))
		return 0;
	return word;
}

int v8_int(struct v8_reader *reader, uint64_t object, int32_t offset, int32_t *value)
{
	if (v8_is_smi(object) || offset < 0)
		return -EINVAL;
	return v8_read(reader, place_of(object) + offset, value, sizeof(*value));
}

int v8_smi(struct v8_reader *reader, uint64_t object, int32_t offset, int32_t *value)
{
	uint64_t word;

	if (v8_is_smi(object) || offset < 0 || v8_read(reader, place_of(object) + offset, &word, sizeof(word)))
		return -EINVAL;
	if (!v8_is_smi(word))
		return -EINVAL;
	*value = v8_smi_value(reader, word);
	return 0;
}

int v8_bytes_length(struct v8_reader *reader, uint64_t array, int32_t *length)
{
	int type = v8_type(reader, array);

	if (type < 0 || (type != reader->layout.byte_array && type != reader->layout.trusted_byte_array))
		return -EINVAL;
	return v8_smi(reader, array, reader->layout.array_length, length);
}

int v8_type(struct v8_reader *reader, uint64_t object)
{
	uint64_t map = v8_field(reader, object, 0);
	uint16_t type;

	if (v8_is_smi(map) || v8_read(reader, place_of(map) + reader->layout.map_type, &type, sizeof(type)))
		return -1;
	return type;
}

uint8_t *v8_copy(struct v8_reader *reader, uint64_t object, int32_t data, int32_t length, size_t *bytes)
{
	if (data < 0 || length <= 0 || length > (int32_t)COPY_MAX)
		return NULL;
	uint8_t *copy = malloc(length);
	if (copy && v8_read(reader, place_of(object) + data, copy, length)) {
		free(copy);
		return NULL;
	}
	*bytes = length;
	return copy;
}

uint8_t *v8_copy_table(struct v8_reader *reader, uint64_t array, size_t *bytes)
{
	int32_t length;

	if (v8_bytes_length(reader, array, &length))
		return NULL;
	return v8_copy(reader, array, reader->layout.array_data, length, bytes);
}

uint64_t v8_element(struct v8_reader *reader, uint64_t array, int32_t index)
{
	const struct v8_layout *at = &reader->layout;
	int32_t length;

	if (index < 0 || index > INDEX_MAX || v8_smi(reader, array, at->array_length, &length) || index >= length)
		return 0;
	return v8_field(reader, array, at->array_data + index * at->tagged_bytes);
}

uint64_t v8_shared_of(struct v8_reader *reader, uint64_t object)
{
	int type = v8_type(reader, object);

	if (type >= 0 && type == reader->layout.shared_wrapper)
		object = v8_field(reader, object, reader->layout.tagged_bytes);
	return object & ~2ull;
}

/* It left its new address in the place of its map. */
uint64_t v8_moved(struct v8_reader *reader, uint64_t object)
{
	for (int hop = 0; hop < HOPS_MAX; hop++) {
		uint64_t map = v8_field(reader, object, 0);

		if (!map || !v8_is_smi(map))
			break;
		object = map + 1;
	}
	return object;
}
