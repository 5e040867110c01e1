/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recording holds, from the heads of its blocks alone: the index tells
 * the seek points, and from the last of them on one hops from head to head.
 * Where there is no index one hops from the first block. Bodies are not read,
 * so an hour is known in a moment; that they are sound is for the reader to see.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "psr.h"
#include "psr_block.h"

#define POINTS_MAX (PSR_CHUNK / sizeof(struct psr_seek))

/* All of it, or -EBADMSG; -errno. */
static int read_at(int fd, void *out, size_t bytes, uint64_t offset)
{
	char *at = out;
	while (bytes) {
		ssize_t got = pread(fd, at, bytes, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		at += got;
		bytes -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

static int add_point(struct psr_outline *outline, struct psr_point point)
{
	if (outline->point_count == POINTS_MAX)
		return 0;
	if (!(outline->point_count & (outline->point_count - 1))) { /* full at each power of two */
		size_t room = outline->point_count ? outline->point_count * 2 : 1;
		struct psr_point *points = realloc(outline->points, room * sizeof(*points));
		if (!points)
			return -ENOMEM;
		outline->points = points;
	}
	outline->points[outline->point_count++] = point;
	return 0;
}

static int read_head(int fd, struct psr_block *block, uint64_t offset)
{
	int err = read_at(fd, block, sizeof(*block), offset);
	return err ? err : psr_block_good(block) ? 0 : -EBADMSG;
}

/* Points that lead forward and into the file; others are nobody's. */
static int take_points(struct psr_outline *outline, const struct psr_seek *seeks, size_t count, uint64_t end)
{
	uint64_t offset = 0, before = 0;
	int err = 0;
	for (size_t i = 0; i < count && !err; i++) {
		if (seeks[i].offset <= offset || seeks[i].offset >= end || seeks[i].before < before)
			return -EBADMSG;
		offset = seeks[i].offset;
		before = seeks[i].before;
		err = add_point(outline, (struct psr_point){ offset, seeks[i].ts, before });
	}
	return err;
}

static int unpack_index(int fd, struct psr_outline *outline, const struct psr_block *block, uint64_t offset)
{
	unsigned char *packed = malloc(block->packed_bytes + 1);
	struct psr_seek *seeks = malloc(block->raw_bytes + sizeof(*seeks));
	int err = packed && seeks ? read_at(fd, packed, block->packed_bytes, offset + sizeof(*block)) : -ENOMEM;
	if (!err && psr_crc(0, packed, block->packed_bytes) != block->body_crc)
		err = -EBADMSG;
	if (!err && ZSTD_decompress(seeks, block->raw_bytes, packed, block->packed_bytes) != block->raw_bytes)
		err = -EBADMSG;
	if (!err)
		err = take_points(outline, seeks, block->raw_bytes / sizeof(*seeks), offset);
	free(packed);
	free(seeks);
	return err;
}

/* 0 when the file ends in an index that was read. */
static int read_index(int fd, struct psr_outline *outline)
{
	struct psr_trailer trailer;
	struct psr_block block;
	if (outline->bytes < sizeof(trailer))
		return -EBADMSG;
	int err = read_at(fd, &trailer, sizeof(trailer), outline->bytes - sizeof(trailer));
	if (!err && (memcmp(trailer.magic, PSR_INDEX_MAGIC, 8) || trailer.index_offset >= outline->bytes))
		err = -EBADMSG;
	if (!err)
		err = read_head(fd, &block, trailer.index_offset);
	if (!err && (block.kind != PSR_INDEX_BLOCK ||
		     trailer.index_offset + sizeof(block) + block.packed_bytes + sizeof(trailer) != outline->bytes))
		err = -EBADMSG;
	if (!err)
		err = unpack_index(fd, outline, &block, trailer.index_offset);
	if (err)
		outline->point_count = 0;
	return err;
}

static int see_block(struct psr_outline *outline, const struct psr_block *block, uint64_t offset, uint32_t kind_before,
		     int learn_points)
{
	if (block->kind == PSR_EVENTS_BLOCK) {
		if (!outline->chunks++)
			outline->first_ts = block->first_ts;
		if (block->last_ts > outline->last_ts)
			outline->last_ts = block->last_ts;
	}
	outline->events = block->before + (block->kind == PSR_EVENTS_BLOCK ? block->events : 0);
	int is_point = block->kind == PSR_DEFINITIONS_BLOCK && kind_before == PSR_EVENTS_BLOCK;
	if (!learn_points || !is_point)
		return 0;
	return add_point(outline, (struct psr_point){ offset, outline->last_ts, block->before });
}

/* From block to block. What cannot be hopped over ends it: *rest is how much is behind. */
static int hop(int fd, struct psr_outline *outline, uint64_t offset, int learn_points, uint64_t *rest)
{
	struct psr_block block = { 0 };
	int err = 0;
	for (uint32_t before = 0; !err; before = block.kind) {
		uint64_t next = offset + sizeof(block);
		*rest = outline->bytes - offset;
		if (next > outline->bytes || read_head(fd, &block, offset))
			return 0;
		next += block.packed_bytes;
		if (next > outline->bytes)
			return 0;
		err = see_block(outline, &block, offset, before, learn_points);
		if (block.kind == PSR_INDEX_BLOCK) {
			*rest = 0;
			return err;
		}
		offset = next;
	}
	return err;
}

int psr_outline_read(struct psr_outline *outline, int fd)
{
	struct psr_head head;
	struct stat st;
	*outline = (struct psr_outline){ 0 };
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESPIPE;
	outline->bytes = (uint64_t)st.st_size;
	int err = read_at(fd, &head, sizeof(head), 0);
	uint64_t first = sizeof(head) + head.body_bytes, rest = 0;
	if (err || memcmp(head.magic, PSR_MAGIC, 8) || first > outline->bytes)
		return err ? err : -EBADMSG;
	outline->whole = !read_index(fd, outline);
	if (outline->whole &&
	    outline->point_count) { /* the first block for when it begins, the last ones for when it ends */
		struct psr_block block;
		if (!read_head(fd, &block, first))
			outline->first_ts = block.first_ts;
		outline->last_ts = outline->points[outline->point_count - 1].ts;
		outline->chunks = 1;
		first = outline->points[outline->point_count - 1].offset;
	}
	err = hop(fd, outline, first, !outline->whole, &rest);
	outline->is_sound = rest < 2 * PSR_RAW_MAX; /* a torn end at most */
	if (err)
		psr_outline_free(outline);
	return err;
}

void psr_outline_free(struct psr_outline *outline)
{
	free(outline->points);
	outline->points = NULL;
	outline->point_count = 0;
}
