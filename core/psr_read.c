/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a recording, whole or not. Trusts nothing: a block is used only when
 * the CRCs of its head and body agree and its sizes are possible; otherwise it
 * is left behind, the next good head is searched byte by byte, and what is
 * missing is counted from the running total that every block head carries.
 *
 * Memory: the input's buffer, one unpacked block, and the codec's memory, set
 * by the schema.
 */
#include "psr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "psr_block.h"
#include "psr_codec.h"
#include "psr_input.h"

#define BAD_BODIES 64 /* after so many, a body that fails its CRC is not searched for other blocks */

struct psr_reader {
	int error;
	struct psr_input input;
	struct psr_info info;
	struct psr_plan *plan;
	struct psr_codec *codec;
	ZSTD_DCtx *zstd;

	/* the unpacked block */
	unsigned char *raw;
	size_t raw_room;
	const unsigned char *at, *raw_end;
	uint32_t left;         /* records still in it */
	uint32_t block_kind;

	uint32_t blocks;       /* good ones */
	uint32_t chunks;       /* … of events */
	uint32_t sequence;     /* the next block's */
	uint64_t seen;         /* records delivered or known to be lost */
	uint64_t events;       /* delivered */
	uint64_t last_ts;
	uint64_t floor_ts;     /* definitions are not of before then */
	int sought;            /* the next block's sequence is not known */
	int needs_definitions; /* some may have been lost */
	int whole, damaged, torn, done;
	uint32_t bad_block;    /* where it began */
	uint64_t dropped;      /* events known to be lost */
	int gap;               /* bytes were left behind since the last good block */
	uint64_t gap_events;   /* what a readable head among them told; PS_UNKNOWN = none did */
	uint32_t bad_bodies;
	struct ps_ev_lost lost;
	uint64_t record[PSR_RECORD_MAX / 8 + 1];
};

/* ---- damage ---- */

static void note_damage(struct psr_reader *reader)
{
	if (!reader->damaged)
		reader->bad_block = reader->blocks + 1;
	reader->damaged = 1;
}

static void open_gap(struct psr_reader *reader, uint64_t events)
{
	if (!reader->gap)
		reader->gap_events = events;
	reader->gap = 1;
}

static void note_lost(struct psr_reader *reader, uint64_t count)
{
	reader->dropped += count;
	reader->lost.h = (struct ps_record){ reader->last_ts, 0, PS_EV_LOST, sizeof(reader->lost) };
	reader->lost.source = PS_LOST_FILE;
	reader->lost.count += count;
}

/* Leaves the byte at hand and goes to the next sync word. 1: there is one; 0: the input ends; -errno. */
static int resync(struct psr_reader *reader)
{
	input_use(&reader->input, 1);
	for (;;) {
		int err = input_fill(&reader->input, sizeof(struct psr_block));
		if (err < 0)
			return err;
		size_t bytes = input_bytes(&reader->input);
		const unsigned char *found = memmem(input_here(&reader->input), bytes, PSR_SYNC, 8);
		if (found) {
			input_use(&reader->input, (size_t)(found - input_here(&reader->input)));
			return 1;
		}
		size_t keep = bytes < 7 ? bytes : 7; /* it may hold the begin of a sync word */
		input_use(&reader->input, bytes - keep);
		if (reader->input.at_end) {
			input_use(&reader->input, keep);
			return 0;
		}
		err = input_fill(&reader->input, keep + 1);
		if (err < 0)
			return err;
	}
}

/* ---- blocks ---- */

/*
 * The next good block: its head is copied, its body lies at *body and is used
 * up by the caller. 1, 0 at the end, -errno.
 */
static int find_block(struct psr_reader *reader, struct psr_block *block, const unsigned char **body)
{
	for (;;) {
		int got = input_fill(&reader->input, sizeof(*block));
		if (got < 0)
			return got;
		if (!got) {
			if (input_bytes(&reader->input))
				open_gap(reader, PS_UNKNOWN);
			input_use(&reader->input, input_bytes(&reader->input));
			return 0;
		}
		memcpy(block, input_here(&reader->input), sizeof(*block));
		int good = psr_block_good(block);
		if (good) {
			got = input_fill(&reader->input, sizeof(*block) + block->packed_bytes);
			if (got < 0)
				return got;
			*body = input_here(&reader->input) + sizeof(*block);
			if (got && psr_crc(0, *body, block->packed_bytes) == block->body_crc)
				return 1;
			/* a forged file full of such heads must not cost its square */
			if (got && ++reader->bad_bodies > BAD_BODIES)
				input_use(&reader->input, block->packed_bytes);
		}
		open_gap(reader, !good ? PS_UNKNOWN : block->kind == PSR_EVENTS_BLOCK ? block->events : 0);
		got = resync(reader);
		if (got <= 0)
			return got;
	}
}

static int unpack(struct psr_reader *reader, const struct psr_block *block, const unsigned char *body)
{
	size_t room = block->raw_bytes + PSR_PAD;
	if (room > reader->raw_room) {
		unsigned char *raw = realloc(reader->raw, room);
		if (!raw)
			return -ENOMEM;
		reader->raw = raw;
		reader->raw_room = room;
	}
	size_t got = ZSTD_decompressDCtx(reader->zstd, reader->raw, block->raw_bytes, body, block->packed_bytes);
	if (ZSTD_isError(got) || got != block->raw_bytes)
		return -EBADMSG;
	memset(reader->raw + got, 0, PSR_PAD);
	reader->at = reader->raw;
	reader->raw_end = reader->raw + got;
	reader->left = block->events;
	reader->block_kind = block->kind;
	psr_codec_reset(reader->codec);
	return 0;
}

/* What lies between the blocks before and this one, by the total that its head carries. */
static void account_gap(struct psr_reader *reader, const struct psr_block *block)
{
	if (block->before > reader->seen) {
		note_lost(reader, block->before - reader->seen);
		reader->needs_definitions = 1;
		reader->seen = block->before;
	}
	if (block->sequence != reader->sequence || reader->gap)
		note_damage(reader);
	reader->sequence = block->sequence + 1;
	reader->gap = 0;
}

/* The index ends the file: only its trailer may follow. */
static int end_in_index(struct psr_reader *reader, uint64_t offset)
{
	int got = input_fill(&reader->input, sizeof(struct psr_trailer) + 1);
	if (got < 0)
		return got;
	size_t rest = input_bytes(&reader->input);
	struct psr_trailer trailer = { 0 };
	memcpy(&trailer, input_here(&reader->input), rest < sizeof(trailer) ? rest : sizeof(trailer));
	reader->whole = rest == sizeof(trailer) && !memcmp(trailer.magic, PSR_INDEX_MAGIC, 8) &&
			trailer.index_offset == offset;
	if (!reader->whole && rest >= sizeof(trailer))
		note_damage(reader); /* something was appended that is not ours */
	input_use(&reader->input, rest);
	reader->done = 1;
	return 0;
}

/* Makes the next block's records ready. 1, 0 at the end, -errno. */
static int next_block(struct psr_reader *reader)
{
	struct psr_block block;
	const unsigned char *body;
	int got = find_block(reader, &block, &body);
	if (got <= 0)
		return got;
	uint64_t offset = reader->input.position;
	if (reader->sought)
		reader->sequence = block.sequence;
	reader->sought = 0;
	if (reader->blocks && block.sequence < reader->sequence) { /* seen already, or forged */
		note_damage(reader);
		input_use(&reader->input, sizeof(block) + block.packed_bytes);
		return 1;
	}
	account_gap(reader, &block);
	if (!reader->blocks++ && block.kind == PSR_DEFINITIONS_BLOCK)
		reader->needs_definitions = 1; /* it begins in the middle of a stream */
	int after_definitions = reader->block_kind == PSR_DEFINITIONS_BLOCK;
	int wanted = block.kind == PSR_EVENTS_BLOCK || (block.kind == PSR_DEFINITIONS_BLOCK && reader->needs_definitions);
	int err = wanted ? unpack(reader, &block, body) : 0;
	input_use(&reader->input, sizeof(block) + block.packed_bytes);
	if (block.kind == PSR_EVENTS_BLOCK) {
		reader->needs_definitions &= !after_definitions;
		reader->chunks++;
		reader->seen += block.events;
	}
	if (err == -EBADMSG) { /* sound by its CRC, yet not ours to read */
		note_damage(reader);
		if (block.kind == PSR_EVENTS_BLOCK)
			note_lost(reader, block.events);
		return 1;
	}
	if (block.kind == PSR_INDEX_BLOCK)
		err = end_in_index(reader, offset);
	return err ? err : 1;
}

/* After the last block: what the cut end is known to have held. */
static void finish(struct psr_reader *reader)
{
	reader->done = 1;
	if (!reader->gap)
		return;
	reader->torn = 1;
	if (!reader->damaged)
		reader->bad_block = reader->blocks + 1;
	if (reader->gap_events) /* not known: a chunk is never empty, so at least one */
		note_lost(reader, reader->gap_events == PS_UNKNOWN ? 1 : reader->gap_events);
}

/* ---- opening ---- */

static int read_head(struct psr_reader *reader)
{
	struct psr_head head;
	int got = input_fill(&reader->input, sizeof(head));
	if (got < 0)
		return got;
	size_t there = input_bytes(&reader->input);
	if (there < 8 || memcmp(input_here(&reader->input), PSR_MAGIC, 8))
		return -EBADMSG;
	if (!got)
		return -EILSEQ;
	memcpy(&head, input_here(&reader->input), sizeof(head));
	if (head.order != PSR_ORDER || head.body_bytes > PSR_HEAD_MAX)
		return -EILSEQ;
	if (head.major > PSR_MAJOR)
		return -EPROTONOSUPPORT;
	got = input_fill(&reader->input, sizeof(head) + head.body_bytes);
	if (got <= 0)
		return got < 0 ? got : -EILSEQ;
	const unsigned char *body = input_here(&reader->input) + sizeof(head), *schema = NULL;
	if (psr_crc(psr_crc(0, &head, offsetof(struct psr_head, crc)), body, head.body_bytes) != head.crc)
		return -EILSEQ;
	size_t schema_bytes = 0;
	int err = psr_head_parse(body, head.body_bytes, &reader->info, &schema, &schema_bytes);
	reader->info.major = head.major;
	reader->info.minor = head.minor;
	if (!err)
		err = psr_plan_open(&reader->plan, schema, schema_bytes);
	if (!err)
		err = psr_codec_open(&reader->codec, reader->plan);
	input_use(&reader->input, sizeof(head) + head.body_bytes);
	return err;
}

int psr_reader_open(struct psr_reader **out, int fd)
{
	struct psr_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->input.fd = fd;
	reader->zstd = ZSTD_createDCtx();
	int err = reader->zstd ? read_head(reader) : -ENOMEM;
	if (err)
		psr_reader_close(reader);
	else
		*out = reader;
	return err;
}

void psr_reader_close(struct psr_reader *reader)
{
	if (!reader)
		return;
	ZSTD_freeDCtx(reader->zstd);
	psr_codec_close(reader->codec);
	psr_plan_close(reader->plan);
	input_free(&reader->input);
	free(reader->raw);
	free(reader);
}

const struct psr_info *psr_reader_info(const struct psr_reader *reader)
{
	return &reader->info;
}

uint64_t psr_reader_position(const struct psr_reader *reader)
{
	return reader->input.position;
}

uint64_t psr_reader_events(const struct psr_reader *reader)
{
	return reader->events;
}

uint64_t psr_reader_dropped(const struct psr_reader *reader)
{
	return reader->dropped;
}

uint64_t psr_reader_chunks(const struct psr_reader *reader)
{
	return reader->chunks;
}

/* ---- records ---- */

static int give_lost(struct psr_reader *reader, const struct ps_record **record)
{
	memcpy(reader->record, &reader->lost, sizeof(reader->lost));
	reader->lost.count = 0;
	*record = (const struct ps_record *)reader->record;
	return 1;
}

/* 1: a record; 0: none of ours here; malformed rests of a block are dropped and counted. */
static int next_record(struct psr_reader *reader, const struct ps_record **record)
{
	struct ps_record *out = (struct ps_record *)reader->record;
	int got = psr_decode(reader->codec, &reader->at, reader->raw_end, out);
	if (got < 0) {
		note_damage(reader);
		if (reader->block_kind == PSR_EVENTS_BLOCK)
			note_lost(reader, reader->left);
		reader->left = 0;
		return 0;
	}
	reader->left--;
	if (out->ts < reader->floor_ts && reader->block_kind == PSR_DEFINITIONS_BLOCK)
		out->ts = reader->floor_ts;
	if (reader->block_kind == PSR_EVENTS_BLOCK) {
		reader->last_ts = out->ts;
		reader->events++;
	}
	*record = out;
	return got;
}

int psr_reader_next(struct psr_reader *reader, const struct ps_record **record)
{
	for (;;) {
		if (reader->error)
			return reader->error;
		if (reader->lost.count)
			return give_lost(reader, record);
		if (reader->left) {
			if (next_record(reader, record))
				return 1;
			continue;
		}
		if (reader->done)
			return 0;
		int got = next_block(reader);
		if (got < 0)
			reader->error = got;
		else if (!got)
			finish(reader);
	}
}

int psr_reader_seek(struct psr_reader *reader, const struct psr_point *point)
{
	if (reader->error)
		return reader->error;
	if (lseek(reader->input.fd, (off_t)point->offset, SEEK_SET) < 0)
		return -errno;
	reader->input.start = reader->input.end = 0;
	reader->input.at_end = 0;
	reader->input.position = point->offset;
	reader->left = 0;
	reader->block_kind = 0;
	reader->lost.count = 0;
	reader->gap = reader->done = reader->whole = reader->torn = 0;
	reader->sought = reader->needs_definitions = 1;
	reader->seen = point->before;
	reader->last_ts = reader->floor_ts = point->ts;
	return 0;
}

enum psr_state psr_reader_state(const struct psr_reader *reader)
{
	if (reader->damaged)
		return PSR_DAMAGED;
	if (reader->torn)
		return PSR_TORN;
	return reader->whole ? PSR_WHOLE : PSR_OPEN_END;
}

/* 1,204 */
static const char *print_grouped(char out[32], uint64_t value)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value), to = 0;
	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = digits[i];
	}
	out[to] = 0;
	return out;
}

size_t psr_reader_describe(const struct psr_reader *reader, char *out, size_t room)
{
	char events[32], dropped[32];
	print_grouped(events, reader->events);
	print_grouped(dropped, reader->dropped);
	int length = 0;
	switch (psr_reader_state(reader)) {
	case PSR_WHOLE:
		length = snprintf(out, room, "whole: %s events", events);
		break;
	case PSR_OPEN_END:
		length = snprintf(out, room, "%s: %s events, none known to be missing",
				  reader->done ? "not finished by its writer" : "read so far", events);
		break;
	case PSR_TORN:
		length = snprintf(out, room, "torn in chunk %u: %s%s events dropped, %s kept", reader->bad_block,
				  reader->gap_events == PS_UNKNOWN ? "at least " : "", dropped, events);
		break;
	case PSR_DAMAGED:
		length = snprintf(out, room, "damaged in chunk %u%s: %s%s events dropped, %s kept", reader->bad_block,
				  reader->torn ? " and torn at its end" : "",
				  reader->torn && reader->gap_events == PS_UNKNOWN ? "at least " : "", dropped, events);
		break;
	}
	return length < 0 ? 0 : (size_t)length < room ? (size_t)length : room ? room - 1 : 0;
}
