/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File head and block heads of a recording.
 *
 * The head's body is a row of fields "u16 tag, u32 length, bytes", so that it
 * can grow: a reader skips tags it does not know. All text in it is foreign to
 * the reader and cleaned here.
 */
#include "psr_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "psr_codec.h"
#include "text.h"

enum tag { TAG_SCHEMA = 1, TAG_EVENT_VERSION = 2, TAG_FIRST_INFO = 16 };

/* what struct psr_info holds, row by row; numbers are 8 bytes in the file */
static const struct info_field {
	uint16_t tag, is_text;
	uint32_t offset, room;
} info_fields[] = {
#define NUMBER(tag, member) { tag, 0, offsetof(struct psr_info, member), 8 }
#define TEXT(tag, member) { tag, 1, offsetof(struct psr_info, member), sizeof(((struct psr_info *)0)->member) }
	NUMBER(TAG_FIRST_INFO, monotonic_ns),
	NUMBER(TAG_FIRST_INFO + 1, realtime_ns),
	NUMBER(TAG_FIRST_INFO + 2, boottime_ns),
	TEXT(TAG_FIRST_INFO + 3, tool),
	TEXT(TAG_FIRST_INFO + 4, machine),
	TEXT(TAG_FIRST_INFO + 5, boot_id),
	TEXT(TAG_FIRST_INFO + 6, command),
	NUMBER(TAG_FIRST_INFO + 7, stall_ns),
};
#define INFO_FIELDS (sizeof(info_fields) / sizeof(info_fields[0]))

uint32_t psr_crc(uint32_t crc, const void *bytes, size_t count)
{
	return (uint32_t)crc32(crc, bytes, (uInt)count);
}

static unsigned char *put_field(unsigned char *out, uint16_t tag, const void *bytes, uint32_t length)
{
	memcpy(out, &tag, 2);
	memcpy(out + 2, &length, 4);
	if (bytes)
		memcpy(out + 6, bytes, length);
	return out + 6 + length;
}

int psr_head_print(const struct psr_info *info, unsigned char **out, size_t *bytes)
{
	size_t schema_bytes = psr_schema_print(NULL);
	unsigned char *head = malloc(sizeof(struct psr_head) + sizeof(*info) + schema_bytes + 256);
	if (!head)
		return -ENOMEM;
	uint32_t version = PS_EVENT_VERSION;
	unsigned char *body = head + sizeof(struct psr_head), *at = body;
	at = put_field(at, TAG_EVENT_VERSION, &version, sizeof(version));
	for (size_t i = 0; i < INFO_FIELDS; i++) {
		const struct info_field *field = &info_fields[i];
		const char *value = (const char *)info + field->offset;
		at = put_field(at, field->tag, value, field->is_text ? (uint32_t)strnlen(value, field->room) : field->room);
	}
	psr_schema_print(at + 6);
	at = put_field(at, TAG_SCHEMA, NULL, (uint32_t)schema_bytes);

	struct psr_head start = { .magic = PSR_MAGIC, .major = PSR_MAJOR, .minor = PSR_MINOR, .order = PSR_ORDER,
				  .body_bytes = (uint32_t)(at - body) };
	start.crc = psr_crc(psr_crc(0, &start, offsetof(struct psr_head, crc)), body, start.body_bytes);
	memcpy(head, &start, sizeof(start));
	*out = head;
	*bytes = (size_t)(at - head);
	return 0;
}

static void parse_info(struct psr_info *info, uint16_t tag, const unsigned char *bytes, uint32_t length)
{
	for (size_t i = 0; i < INFO_FIELDS; i++) {
		const struct info_field *field = &info_fields[i];
		char *value = (char *)info + field->offset;
		if (field->tag != tag)
			continue;
		if (field->is_text)
			text_clean(value, field->room, (const char *)bytes, length);
		else if (length == field->room)
			memcpy(value, bytes, length);
	}
}

int psr_head_parse(const unsigned char *body, size_t bytes, struct psr_info *info, const unsigned char **schema,
		   size_t *schema_bytes)
{
	*schema = NULL;
	for (size_t at = 0; at < bytes;) {
		uint16_t tag = 0;
		uint32_t length = 0;
		if (bytes - at < 6)
			return -EILSEQ;
		memcpy(&tag, body + at, 2);
		memcpy(&length, body + at + 2, 4);
		at += 6;
		if (length > bytes - at)
			return -EILSEQ;
		if (tag == TAG_SCHEMA) {
			*schema = body + at;
			*schema_bytes = length;
		} else if (tag == TAG_EVENT_VERSION && length == sizeof(info->version)) {
			memcpy(&info->version, body + at, length);
		} else {
			parse_info(info, tag, body + at, length);
		}
		at += length;
	}
	if (!*schema)
		return -EILSEQ;
	return info->version > PS_EVENT_VERSION ? -EPROTONOSUPPORT : 0;
}

static uint32_t head_crc(const struct psr_block *block)
{
	size_t from = offsetof(struct psr_block, body_crc);
	return psr_crc(0, (const char *)block + from, sizeof(*block) - from);
}

void psr_block_seal(struct psr_block *block, const unsigned char *packed)
{
	memcpy(block->sync, PSR_SYNC, sizeof(block->sync));
	block->body_crc = psr_crc(0, packed, block->packed_bytes);
	block->head_crc = head_crc(block);
}

int psr_block_good(const struct psr_block *block)
{
	return !memcmp(block->sync, PSR_SYNC, sizeof(block->sync)) && block->head_crc == head_crc(block) &&
	       block->raw_bytes <= PSR_RAW_MAX && block->packed_bytes <= ZSTD_COMPRESSBOUND(PSR_RAW_MAX) &&
	       block->events <= block->raw_bytes;
}
