/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recording (.psr): append-only, chunked, never seeks back, so it works
 * into a pipe. header | schema | chunk | chunk | … | optional index.
 * A chunk holds at most PSR_CHUNK bytes or one second of records, with sync
 * word, sequence, lengths, first/last time, counts of events and of events
 * lost, CRC32 and a zstd payload of varint-delta records. A torn or flipped
 * chunk is dropped and told; what is before it is kept. docs/format.md has the
 * bytes.
 */
#ifndef PSR_H
#define PSR_H

#include <stddef.h>
#include <stdint.h>

#include "ps_event.h"

#define PSR_CHUNK (1u << 20)

struct psr_writer;
struct psr_reader;

struct psr_info {            /* the header, as text and numbers */
	uint32_t version;
	uint64_t monotonic_ns, realtime_ns, boottime_ns; /* one instant, three clocks */
	char tool[64];
	char machine[128];   /* kernel release, architecture, CPU model */
	char boot_id[40];
	char command[512];   /* the tool's command line */
	uint64_t stall_ns;   /* threshold in force */
	uint16_t major, minor; /* of the format; set by the reader */
};

/*
 * Writes to fd (not closed; ignore SIGPIPE when it is a pipe). -errno.
 * The first failed write ends the recording: the call that met it returns the
 * error once, later calls return 0 and drop, psr_writer_close() says it again.
 * What was written until then stays readable.
 */
int psr_writer_open(struct psr_writer **writer, int fd, const struct psr_info *info);
int psr_writer_add(struct psr_writer *writer, const struct ps_record *record); /* -EINVAL: malformed, not taken */
int psr_writer_flush(struct psr_writer *writer);   /* ends the chunk */
/* Ends this file as psr_writer_close() does and goes on in another, which begins with all that is defined. */
int psr_writer_next(struct psr_writer *writer, int fd, const struct psr_info *info);
uint64_t psr_writer_bytes(const struct psr_writer *writer);  /* in this file */
uint64_t psr_writer_events(const struct psr_writer *writer); /* taken, in all files */
int psr_writer_close(struct psr_writer *writer);   /* flush, index; NULL is fine; returns the first error ever met */

/*
 * Flight mode: the newest `span_ns` (at most `most_bytes`, packed) are kept in memory and nothing is written
 * until psr_writer_dump(). It makes of them a whole recording in fd and begins with an empty ring; the events
 * come in no other dump. 1: written; 0: there was nothing; -errno: all is kept and may be dumped elsewhere.
 */
int psr_writer_open_ring(struct psr_writer **writer, uint64_t span_ns, size_t most_bytes);
int psr_writer_dump(struct psr_writer *writer, int fd, const struct psr_info *info);
uint64_t psr_writer_held(const struct psr_writer *writer);      /* bytes in the ring */
uint64_t psr_writer_overflows(const struct psr_writer *writer); /* chunks that the bound of bytes drove out */

enum psr_state {
	PSR_WHOLE,           /* ends in its index */
	PSR_OPEN_END,        /* no index: the writer did not finish, every chunk is whole */
	PSR_TORN,            /* the last chunk was cut and dropped */
	PSR_DAMAGED,         /* a chunk in the middle was skipped */
};

/*
 * Reads from fd (not closed; a pipe is fine).
 * -EBADMSG: not a recording. -EPROTONOSUPPORT: a newer major version. -EILSEQ: header damaged.
 */
int psr_reader_open(struct psr_reader **reader, int fd);
const struct psr_info *psr_reader_info(const struct psr_reader *reader);
/*
 * Next record, valid until the next call. 1: a record; 0: end; -errno.
 * A dropped chunk shows as one LOST record (source FILE) of its event count; a torn end whose
 * count cannot be read counts as 1. After a loss the definitions known at the next seek point come again.
 */
int psr_reader_next(struct psr_reader *reader, const struct ps_record **record);
enum psr_state psr_reader_state(const struct psr_reader *reader); /* after the end */
/* One sentence about completeness: "torn in chunk 12 of at least 13: 1,204 events dropped". */
size_t psr_reader_describe(const struct psr_reader *reader, char *out, size_t room);
struct psr_point {           /* where one may begin to read: all that is defined comes again there */
	uint64_t offset;
	uint64_t ts;         /* greatest time before it */
	uint64_t before;     /* events before it */
};
/*
 * Goes on there; the file must be seekable. What is defined comes first, with times not before the point's.
 * The state at the end speaks of what was read.
 */
int psr_reader_seek(struct psr_reader *reader, const struct psr_point *point);

struct psr_outline {         /* what the heads of a file's blocks tell */
	int whole;           /* it ends in its index */
	int is_sound;        /* 0: something in the middle could not be passed; read it all to know */
	uint64_t bytes, events, first_ts, last_ts;
	uint32_t chunks;     /* seen */
	struct psr_point *points;
	size_t point_count;
};
/* By pread: where fd stands does not matter and does not change. 0, -ESPIPE, -EBADMSG, -errno. */
int psr_outline_read(struct psr_outline *outline, int fd);
void psr_outline_free(struct psr_outline *outline);

uint64_t psr_reader_position(const struct psr_reader *reader); /* bytes read */
uint64_t psr_reader_events(const struct psr_reader *reader);   /* delivered, definitions that were told again not counted */
uint64_t psr_reader_dropped(const struct psr_reader *reader);  /* known to be missing */
uint64_t psr_reader_chunks(const struct psr_reader *reader);   /* sound ones with events */
void psr_reader_close(struct psr_reader *reader);

#endif
