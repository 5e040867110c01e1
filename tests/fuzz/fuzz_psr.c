/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: any bytes as a recording. Read as they are, once more with
 * the CRCs of head and blocks mended, so that the fuzzer gets past them, and as
 * the unpacked inside of a chunk, so that it gets past zstd.
 *
 *   make fuzz        (seeds: tests/data/fuzz/fuzz_psr)
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "psr.h"
#include "psr_block.h"
#include "psr_codec.h"
#include "schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* From every seek point that the file claims to have. */
static void seek_all(struct psr_reader *reader, int fd)
{
	struct psr_outline outline;
	const struct ps_record *record;
	if (psr_outline_read(&outline, fd))
		return;
	for (size_t i = 0; i < outline.point_count && i < 8; i++) {
		if (psr_reader_seek(reader, &outline.points[i]))
			break;
		for (unsigned limit = 20000; limit && psr_reader_next(reader, &record) > 0; limit--)
			if (!schema_check(record, record->size))
				abort();
	}
	psr_outline_free(&outline);
}

static void read_once(const uint8_t *bytes, size_t size)
{
	struct psr_reader *reader = NULL;
	const struct ps_record *record;
	char described[200];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	if (!psr_reader_open(&reader, fd)) {
		for (unsigned limit = 2000000; limit && psr_reader_next(reader, &record) > 0; limit--)
			if (!schema_check(record, record->size))
				abort();
		psr_reader_describe(reader, described, sizeof(described));
		psr_reader_state(reader);
		seek_all(reader, fd);
	}
	psr_reader_close(reader);
	close(fd);
}

static void mend(uint8_t *bytes, size_t size)
{
	struct psr_head head;
	if (size < sizeof(head))
		return;
	memcpy(&head, bytes, sizeof(head));
	if (head.body_bytes <= size - sizeof(head)) {
		head.crc = psr_crc(psr_crc(0, &head, offsetof(struct psr_head, crc)), bytes + sizeof(head), head.body_bytes);
		memcpy(bytes, &head, sizeof(head));
	}
	for (uint8_t *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), PSR_SYNC, 8)); at++) {
		struct psr_block block;
		size_t left = size - (size_t)(at - bytes);
		if (left < sizeof(block))
			return;
		memcpy(&block, at, sizeof(block));
		if (block.packed_bytes > left - sizeof(block))
			continue;
		psr_block_seal(&block, at + sizeof(block));
		memcpy(at, &block, sizeof(block));
	}
}

static void decode_raw(const uint8_t *bytes, size_t size)
{
	static uint64_t room[PSR_RECORD_MAX / 8 + 1];
	struct psr_plan *plan = NULL;
	struct psr_codec *codec = NULL;
	unsigned char *schema = malloc(psr_schema_print(NULL)), *raw = calloc(1, size + PSR_PAD);
	if (!raw || !schema || psr_plan_open(&plan, schema, psr_schema_print(schema)) || psr_codec_open(&codec, plan))
		abort();
	free(schema);
	memcpy(raw, bytes, size);
	const unsigned char *at = raw, *end = raw + size;
	struct ps_record *record = (struct ps_record *)room;
	for (int got = 1; got >= 0 && at < end;) {
		got = psr_decode(codec, &at, end, record);
		if (at > end || (got == 1 && !schema_check(record, record->size)))
			abort();
	}
	psr_codec_close(codec);
	psr_plan_close(plan);
	free(raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	read_once(bytes, size);
	decode_raw(bytes, size);
	uint8_t *copy = malloc(size + 1);
	if (!copy)
		return 0;
	memcpy(copy, bytes, size);
	mend(copy, size);
	read_once(copy, size);
	free(copy);
	return 0;
}
