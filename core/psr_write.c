/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a recording. Blocks are built in memory and leave by one write each,
 * so what is on disk is always a row of whole blocks and at most one torn end.
 *
 * The first failed write ends the recording: the call that met it returns the
 * error once, everything after it is dropped without a word, psr_writer_close()
 * says it again. Nothing is written behind a torn block.
 *
 * The caller owns the descriptor and must ignore SIGPIPE when it is a pipe.
 */
#include "psr.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "psr_block.h"
#include "psr_codec.h"
#include "psr_dict.h"
#include "schema.h"

#define CHUNK_NS 1000000000ull
#define SEEK_CHUNKS 16     /* definitions are repeated after so many chunks … */
#define SEEK_SHARE 8       /* … and so many times their own size */
#define SEEKS_MAX (PSR_CHUNK / sizeof(struct psr_seek))

struct psr_writer {
	int fd;
	int error;             /* the first; sticky */
	uint64_t bytes, events; /* written or in the open chunk */
	uint64_t newest_ts;
	struct psr_plan *plan;
	struct psr_codec *codec;
	struct psr_dict *dict;
	ZSTD_CCtx *zstd;
	struct psr_block head; /* of the open chunk */
	size_t used;           /* bytes of raw */
	unsigned char *raw;    /* PSR_RAW_MAX */
	unsigned char *packed; /* block head and packed bytes */
	uint32_t sequence;
	uint32_t chunks;       /* since the definitions were repeated */
	uint64_t chunk_bytes;
	uint64_t dict_bytes;   /* what they took last time */
	struct psr_seek *seeks;
	size_t seek_count, seek_room;
};

static int write_all(struct psr_writer *writer, const void *bytes, size_t count)
{
	const char *at = bytes;
	while (count) {
		ssize_t wrote = write(writer->fd, at, count);
		if (wrote < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			struct pollfd ready = { .fd = writer->fd, .events = POLLOUT };
			poll(&ready, 1, -1);
			continue;
		}
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return wrote < 0 ? -errno : -EIO;
		at += wrote;
		count -= (size_t)wrote;
		writer->bytes += (uint64_t)wrote;
	}
	return 0;
}

static void start_chunk(struct psr_writer *writer)
{
	psr_codec_reset(writer->codec);
	memset(&writer->head, 0, sizeof(writer->head));
	writer->used = 0;
}

/* Packs what is in raw and writes it as one block. */
static int end_block(struct psr_writer *writer, enum psr_kind kind)
{
	struct psr_block *head = &writer->head;
	unsigned char *packed = writer->packed + sizeof(*head);
	size_t size = ZSTD_compressCCtx(writer->zstd, packed, ZSTD_COMPRESSBOUND(PSR_RAW_MAX), writer->raw, writer->used, 1);
	if (ZSTD_isError(size))
		return -ENOMEM; /* the only way it can fail: the room is always enough */
	head->kind = kind;
	head->sequence = writer->sequence++;
	head->packed_bytes = (uint32_t)size;
	head->raw_bytes = (uint32_t)writer->used;
	psr_block_seal(head, packed);
	memcpy(writer->packed, head, sizeof(*head));
	int err = write_all(writer, writer->packed, sizeof(*head) + size);
	start_chunk(writer);
	return err;
}

static void put_record(struct psr_writer *writer, const struct ps_record *record)
{
	struct psr_block *head = &writer->head;
	if (!head->events || record->ts < head->first_ts)
		head->first_ts = record->ts;
	if (!head->events || record->ts > head->last_ts)
		head->last_ts = record->ts;
	if (record->event == PS_EV_LOST)
		head->lost += ((const struct ps_ev_lost *)record)->count;
	head->events++;
	writer->used += psr_encode(writer->codec, record, writer->raw + writer->used);
}

static int is_full(const struct psr_writer *writer, const struct ps_record *record)
{
	return writer->used && writer->used + psr_encode_bound(record) > PSR_CHUNK;
}

static int repeat_definition(void *arg, const struct ps_record *record)
{
	struct psr_writer *writer = arg;
	int err = is_full(writer, record) ? end_block(writer, PSR_DEFINITIONS_BLOCK) : 0;
	writer->head.before = writer->events;
	if (!err)
		put_record(writer, record);
	return err;
}

static int remember_seek(struct psr_writer *writer)
{
	if (writer->seek_count == SEEKS_MAX)
		return 0;
	if (writer->seek_count == writer->seek_room) {
		size_t room = writer->seek_room ? writer->seek_room * 2 : 64;
		struct psr_seek *seeks = realloc(writer->seeks, room * sizeof(*seeks));
		if (!seeks)
			return -ENOMEM;
		writer->seeks = seeks;
		writer->seek_room = room;
	}
	writer->seeks[writer->seek_count++] = (struct psr_seek){ writer->bytes, writer->newest_ts, writer->events };
	return 0;
}

/* Between two chunks: the definitions once more, when enough has been written since. */
static int repeat_definitions(struct psr_writer *writer)
{
	if (writer->chunks < SEEK_CHUNKS || writer->chunk_bytes < SEEK_SHARE * writer->dict_bytes)
		return 0;
	uint64_t from = writer->bytes;
	int err = remember_seek(writer);
	if (!err)
		err = psr_dict_each(writer->dict, repeat_definition, writer);
	if (!err && writer->used)
		err = end_block(writer, PSR_DEFINITIONS_BLOCK);
	writer->dict_bytes = writer->bytes - from;
	writer->chunk_bytes = 0;
	writer->chunks = 0;
	return err;
}

static int end_chunk(struct psr_writer *writer)
{
	if (!writer->used)
		return 0;
	uint64_t from = writer->bytes;
	writer->head.before = writer->events - writer->head.events;
	int err = end_block(writer, PSR_EVENTS_BLOCK);
	writer->chunk_bytes += writer->bytes - from;
	writer->chunks++;
	return err ? err : repeat_definitions(writer);
}

static int write_index(struct psr_writer *writer)
{
	struct psr_trailer trailer = { .index_offset = writer->bytes, .magic = PSR_INDEX_MAGIC };
	writer->used = writer->seek_count * sizeof(*writer->seeks);
	if (writer->used)
		memcpy(writer->raw, writer->seeks, writer->used);
	writer->head.before = writer->events;
	int err = end_block(writer, PSR_INDEX_BLOCK);
	return err ? err : write_all(writer, &trailer, sizeof(trailer));
}

static int write_head(struct psr_writer *writer, const struct psr_info *info)
{
	unsigned char *head = NULL;
	size_t bytes = 0;
	int err = psr_head_print(info, &head, &bytes);
	if (!err)
		err = write_all(writer, head, bytes);
	free(head);
	return err;
}

static int open_plan(struct psr_writer *writer)
{
	size_t bytes = psr_schema_print(NULL);
	unsigned char *schema = malloc(bytes);
	if (!schema)
		return -ENOMEM;
	psr_schema_print(schema);
	int err = psr_plan_open(&writer->plan, schema, bytes);
	free(schema);
	return err ? err : psr_codec_open(&writer->codec, writer->plan);
}

static void free_writer(struct psr_writer *writer)
{
	psr_codec_close(writer->codec);
	psr_plan_close(writer->plan);
	psr_dict_close(writer->dict);
	ZSTD_freeCCtx(writer->zstd);
	free(writer->raw);
	free(writer->packed);
	free(writer->seeks);
	free(writer);
}

int psr_writer_open(struct psr_writer **out, int fd, const struct psr_info *info)
{
	struct psr_writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->fd = fd;
	writer->raw = malloc(PSR_RAW_MAX);
	writer->packed = malloc(sizeof(struct psr_block) + ZSTD_COMPRESSBOUND(PSR_RAW_MAX));
	writer->zstd = ZSTD_createCCtx();
	int err = writer->raw && writer->packed && writer->zstd ? open_plan(writer) : -ENOMEM;
	if (!err)
		err = psr_dict_open(&writer->dict);
	if (!err) {
		start_chunk(writer);
		err = write_head(writer, info);
	}
	if (err)
		free_writer(writer);
	else
		*out = writer;
	return err;
}

int psr_writer_add(struct psr_writer *writer, const struct ps_record *record)
{
	if (!schema_check(record, record->size))
		return -EINVAL;
	if (writer->error)
		return 0;
	int err = 0;
	if (is_full(writer, record) || (writer->used && record->ts > writer->head.first_ts &&
					record->ts - writer->head.first_ts >= CHUNK_NS))
		err = end_chunk(writer);
	if (!err)
		err = psr_dict_learn(writer->dict, record);
	writer->error = err;
	if (err)
		return err;
	put_record(writer, record);
	writer->events++;
	if (record->ts > writer->newest_ts)
		writer->newest_ts = record->ts;
	return 0;
}

int psr_writer_flush(struct psr_writer *writer)
{
	if (writer->error)
		return 0;
	return writer->error = end_chunk(writer);
}

uint64_t psr_writer_bytes(const struct psr_writer *writer)
{
	return writer->bytes;
}

uint64_t psr_writer_events(const struct psr_writer *writer)
{
	return writer->events;
}

int psr_writer_close(struct psr_writer *writer)
{
	if (!writer)
		return 0;
	if (!writer->error)
		writer->error = end_chunk(writer);
	if (!writer->error)
		writer->error = write_index(writer);
	int err = writer->error;
	free_writer(writer);
	return err;
}
