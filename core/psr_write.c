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
#include "psr_ring.h"
#include "schema.h"

#define CHUNK_NS 1000000000ull
#define SEEK_CHUNKS 16 /* definitions are repeated after so many chunks … */
#define SEEK_SHARE 8 /* … and so many times their own size */
#define SMALL_BYTES (PSR_CHUNK / 4) /* who records so little a second has time to pack it better */
#define SEEKS_MAX (PSR_CHUNK / sizeof(struct psr_seek))

struct psr_writer {
	int fd;
	int error; /* the first; sticky */
	uint64_t bytes; /* in this file */
	uint64_t events; /* taken */
	uint64_t told; /* records in this file's events blocks */
	uint64_t newest_ts;
	uint64_t define_ts; /* definitions are told as of then; 0 = of when they came */
	struct psr_ring *ring; /* flight mode: events blocks go there; NULL = to fd */
	struct psr_plan *plan;
	struct psr_codec *codec;
	struct psr_dict *dict;
	ZSTD_CCtx *zstd;
	struct psr_block head; /* of the open chunk */
	size_t used; /* bytes of raw */
	unsigned char *raw; /* PSR_RAW_MAX */
	unsigned char *packed; /* block head and packed bytes */
	uint32_t sequence;
	uint32_t chunks; /* since the definitions were repeated */
	uint64_t chunk_bytes;
	uint64_t dict_bytes; /* what they took last time */
	struct psr_seek *seeks;
	size_t seek_count, seek_room;
};

/* 0; or -ETIMEDOUT: a signal came, and nobody reads for a second more, so the caller gets a chance to end. */
static int wait_writable(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	if (poll(&ready, 1, -1) >= 0 || errno != EINTR)
		return 0;
	return poll(&ready, 1, 1000) > 0 ? 0 : -ETIMEDOUT;
}

static int write_all(struct psr_writer *writer, const void *bytes, size_t count)
{
	const char *at = bytes;
	while (count) {
		ssize_t wrote = write(writer->fd, at, count);
		if (wrote < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			int err = wait_writable(writer->fd);
			if (err)
				return err;
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

/*
 * All of it or, in a regular file, nothing of it: what a full disk took of a block is given back,
 * so that the file ends with a whole one.
 */
static int write_whole(struct psr_writer *writer, const void *bytes, size_t count)
{
	uint64_t from = writer->bytes;
	int err = write_all(writer, bytes, count);
	off_t end = err && writer->bytes > from ? lseek(writer->fd, 0, SEEK_CUR) : -1;
	off_t begin = end - (off_t)(writer->bytes - from);
	if (end >= 0 && begin >= 0 && !ftruncate(writer->fd, begin) && lseek(writer->fd, begin, SEEK_SET) == begin)
		writer->bytes = from;
	return err;
}

static void start_chunk(struct psr_writer *writer)
{
	psr_codec_reset(writer->codec);
	memset(&writer->head, 0, sizeof(writer->head));
	writer->used = 0;
}

/* The block whose packed bytes lie behind the room for its head: its place in this file is set here. */
static int write_block(struct psr_writer *writer, struct psr_block *head, unsigned char *room)
{
	head->sequence = writer->sequence++;
	head->before = writer->told;
	psr_block_seal(head, room + sizeof(*head));
	memcpy(room, head, sizeof(*head));
	if (head->kind == PSR_EVENTS_BLOCK)
		writer->told += head->events;
	return write_whole(writer, room, sizeof(*head) + head->packed_bytes);
}

/* Packs what is in raw into one block. */
static int end_block(struct psr_writer *writer, enum psr_kind kind)
{
	struct psr_block *head = &writer->head;
	unsigned char *packed = writer->packed + sizeof(*head);
	size_t size = ZSTD_compressCCtx(writer->zstd, packed, ZSTD_COMPRESSBOUND(PSR_RAW_MAX), writer->raw,
					writer->used, writer->used < SMALL_BYTES ? 3 : 1);
	if (ZSTD_isError(size))
		return -ENOMEM; /* the only way it can fail: the room is always enough */
	head->kind = kind;
	head->packed_bytes = (uint32_t)size;
	head->raw_bytes = (uint32_t)writer->used;
	int keep = writer->ring && kind == PSR_EVENTS_BLOCK;
	int err = keep ? psr_ring_push(writer->ring, head, packed) : write_block(writer, head, writer->packed);
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

/* What came after define_ts follows as an event: its end must not be told before it. */
static const struct ps_record *as_of(const struct psr_writer *writer, const struct ps_record *record, void *room)
{
	struct ps_record *copy = room;
	int later = record->ts >= writer->define_ts;
	if (!writer->define_ts)
		return record;
	if (later && (record->event == PS_EV_PROCESS_EXIT || record->event == PS_EV_THREAD_EXIT ||
		      record->event == PS_EV_FD_LIFE || record->event == PS_EV_FD_INTEREST))
		return NULL;
	memcpy(copy, record, record->size);
	copy->ts = writer->define_ts;
	if (later && record->event == PS_EV_LOOP)
		((struct ps_ev_loop *)room)->flags &= ~(uint32_t)PS_LOOP_GONE;
	return copy;
}

static int repeat_definition(void *arg, const struct ps_record *record)
{
	static uint64_t room[PSR_RECORD_MAX / 8 + 1];
	struct psr_writer *writer = arg;
	int err = is_full(writer, record) ? end_block(writer, PSR_DEFINITIONS_BLOCK) : 0;
	record = err ? NULL : as_of(writer, record, room);
	if (record)
		put_record(writer, record);
	return err;
}

static int write_definitions(struct psr_writer *writer)
{
	int err = psr_dict_each(writer->dict, repeat_definition, writer);
	return !err && writer->used ? end_block(writer, PSR_DEFINITIONS_BLOCK) : err;
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
	writer->seeks[writer->seek_count++] = (struct psr_seek){ writer->bytes, writer->newest_ts, writer->told };
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
		err = write_definitions(writer);
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
	int err = end_block(writer, PSR_EVENTS_BLOCK);
	writer->chunk_bytes += writer->bytes - from;
	writer->chunks++;
	return err || writer->ring ? err : repeat_definitions(writer);
}

static int write_index(struct psr_writer *writer)
{
	struct psr_trailer trailer = { .index_offset = writer->bytes, .magic = PSR_INDEX_MAGIC };
	writer->used = writer->seek_count * sizeof(*writer->seeks);
	if (writer->used)
		memcpy(writer->raw, writer->seeks, writer->used);
	int err = end_block(writer, PSR_INDEX_BLOCK);
	return err ? err : write_whole(writer, &trailer, sizeof(trailer));
}

static int write_head(struct psr_writer *writer, const struct psr_info *info)
{
	unsigned char *head = NULL;
	size_t bytes = 0;
	int err = psr_head_print(info, &head, &bytes);
	if (!err)
		err = write_whole(writer, head, bytes);
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
	if (writer->ring)
		psr_ring_clear(writer->ring);
	free(writer->ring);
	free(writer->raw);
	free(writer->packed);
	free(writer->seeks);
	free(writer);
}

static int make_writer(struct psr_writer **out, int fd)
{
	struct psr_writer *writer = *out = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->fd = fd;
	writer->raw = malloc(PSR_RAW_MAX);
	writer->packed = malloc(sizeof(struct psr_block) + ZSTD_COMPRESSBOUND(PSR_RAW_MAX));
	writer->zstd = ZSTD_createCCtx();
	int err = writer->raw && writer->packed && writer->zstd ? open_plan(writer) : -ENOMEM;
	return err ? err : psr_dict_open(&writer->dict);
}

static int open_writer(struct psr_writer **out, struct psr_writer *writer, int err)
{
	if (!err)
		*out = writer;
	else if (writer)
		free_writer(writer);
	return err;
}

int psr_writer_open(struct psr_writer **out, int fd, const struct psr_info *info)
{
	struct psr_writer *writer;
	int err = make_writer(&writer, fd);
	if (!err) {
		start_chunk(writer);
		err = write_head(writer, info);
	}
	return open_writer(out, writer, err);
}

int psr_writer_open_ring(struct psr_writer **out, uint64_t span_ns, size_t most_bytes)
{
	struct psr_writer *writer;
	int err = make_writer(&writer, -1);
	if (!err) {
		start_chunk(writer);
		writer->ring = calloc(1, sizeof(*writer->ring));
		err = writer->ring ? 0 : -ENOMEM;
	}
	if (!err)
		*writer->ring = (struct psr_ring){ .span_ns = span_ns, .most_bytes = most_bytes };
	return open_writer(out, writer, err);
}

/* The head of a file, and what its events need to be understood when it begins in the middle of a stream. */
static int begin_file(struct psr_writer *writer, int fd, const struct psr_info *info, uint64_t as_of_ns)
{
	writer->fd = fd;
	writer->bytes = writer->told = writer->chunk_bytes = 0;
	writer->sequence = writer->chunks = 0;
	writer->seek_count = 0;
	writer->define_ts = as_of_ns;
	int err = write_head(writer, info);
	if (!err)
		err = write_definitions(writer);
	writer->dict_bytes = writer->bytes;
	writer->define_ts = 0;
	return err;
}

int psr_writer_next(struct psr_writer *writer, int fd, const struct psr_info *info)
{
	if (writer->error)
		return 0;
	int err = end_chunk(writer);
	if (!err)
		err = write_index(writer);
	if (!err)
		err = begin_file(writer, fd, info, writer->newest_ts);
	return writer->error = err;
}

static int write_ring(struct psr_writer *writer)
{
	int err = 0;
	for (struct psr_ring_block *block = writer->ring->oldest; block && !err; block = block->next) {
		memcpy(writer->packed + sizeof(block->head), block->body, block->bytes);
		err = write_block(writer, &block->head, writer->packed);
	}
	return err;
}

int psr_writer_dump(struct psr_writer *writer, int fd, const struct psr_info *info)
{
	int err = writer->error ? writer->error : end_chunk(writer);
	if (err || !writer->ring->oldest)
		return err;
	err = begin_file(writer, fd, info, writer->ring->oldest->head.first_ts);
	if (!err)
		err = write_ring(writer);
	if (!err)
		err = write_index(writer);
	start_chunk(writer); /* also after a failure */
	writer->fd = -1;
	if (err)
		return err;
	psr_ring_clear(writer->ring);
	return 1;
}

uint64_t psr_writer_held(const struct psr_writer *writer)
{
	return writer->ring ? writer->ring->bytes : 0;
}

uint64_t psr_writer_overflows(const struct psr_writer *writer)
{
	return writer->ring ? writer->ring->overflows : 0;
}

int psr_writer_add(struct psr_writer *writer, const struct ps_record *record)
{
	if (!schema_check(record, record->size))
		return -EINVAL;
	if (writer->error)
		return 0;
	int err = 0;
	if (is_full(writer, record) ||
	    (writer->used && record->ts > writer->head.first_ts && record->ts - writer->head.first_ts >= CHUNK_NS))
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
	if (!writer->error && !writer->ring)
		writer->error = end_chunk(writer);
	if (!writer->error && !writer->ring)
		writer->error = write_index(writer);
	int err = writer->error;
	free_writer(writer);
	return err;
}
