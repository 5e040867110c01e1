/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Common Trace Format 1.8: a folder with the text of its metadata, made from
 * the field table, and one stream of packets; for babeltrace2, Trace Compass
 * and a joint view with LTTng's kernel traces. Every record is an event.
 *
 * Fields are packed without padding. CTF wants rising times, and records of
 * different threads come nearly in order only: an event's time is never before
 * its predecessor's, and `late_ns` says by how much it really was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "schema.h"
#include "text.h"

#define PACKET_BYTES 65536u
#define EVENT_MOST (3 * 65536u + 1024u) /* a cleaned text takes up to three times its bytes */

struct packet_head {
	uint32_t magic;
	uint32_t stream;
	uint64_t begin_ns, end_ns;
	uint64_t content_bits, packet_bits;
	uint64_t discarded; /* events, so far */
} __attribute__((packed));

struct event_head {
	uint16_t event;
	uint64_t ts;
	uint32_t tid;
	uint64_t late_ns;
} __attribute__((packed));

struct ctf {
	FILE *stream;
	uint64_t ts; /* of the newest event */
	struct packet_head head;
	size_t used; /* bytes of room; 0 = no packet is begun */
	unsigned char room[PACKET_BYTES + EVENT_MOST];
};

/* ---- the metadata ---- */

static FILE *open_in(const struct export_run *run, const char *name)
{
	int fd = openat(run->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file && fd >= 0)
		close(fd);
	return file;
}

/* "busy_by_kind[2]" -> "_busy_by_kind_2"; readers take the first underscore off again, so no name is a keyword. */
static void put_name(FILE *out, const char *name)
{
	putc('_', out);
	for (; *name; name++)
		if (*name != ']')
			putc(*name == '[' ? '_' : *name, out);
}

static void put_event(FILE *out, unsigned number, const struct event_schema *schema)
{
	fprintf(out, "event {\n\tname = \"%s\";\n\tid = %u;\n\tfields := struct {\n", schema->name, number);
	for (unsigned i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->unit == UNIT_PADDING)
			continue;
		fprintf(out, "\t\t%s%u ",
			field->is_signed	      ? "i"
			: field->unit == UNIT_ADDRESS ? "x"
						      : "u",
			8u * field->size);
		put_name(out, field->name);
		fputs(";\n", out);
	}
	if (schema->tail == 1)
		fputs("\t\tstring { encoding = UTF8; } _text;\n", out);
	else if (schema->tail)
		fputs("\t\tu32 _frames[_count];\n", out);
	fputs("\t};\n};\n\n", out);
}

static void put_quoted(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text != '"' && *text != '\\' && (unsigned char)*text >= 0x20)
			putc(*text, out);
}

static void put_metadata(FILE *out, const struct psr_info *info)
{
	uint64_t offset = info->realtime_ns > info->monotonic_ns ? info->realtime_ns - info->monotonic_ns : 0;
	fputs("/* CTF 1.8 */\n\n", out);
	for (unsigned bits = 16; bits <= 64; bits *= 2)
		fprintf(out,
			"typealias integer { size = %u; align = 8; signed = false; } := u%u;\n"
			"typealias integer { size = %u; align = 8; signed = true; } := i%u;\n"
			"typealias integer { size = %u; align = 8; signed = false; base = 16; } := x%u;\n",
			bits, bits, bits, bits, bits, bits);
	fputs("\ntrace {\n\tmajor = 1;\n\tminor = 8;\n\tbyte_order = le;\n"
	      "\tpacket.header := struct { u32 magic; u32 stream_id; };\n};\n\nenv {\n\ttracer_name = "
	      "\"pollscope\";\n\tmachine = \"",
	      out);
	put_quoted(out, info->machine);
	fputs("\";\n\tboot_id = \"", out);
	put_quoted(out, info->boot_id);
	fprintf(out,
		"\";\n};\n\nclock {\n\tname = monotonic;\n\tdescription = \"CLOCK_MONOTONIC, set to the wall clock\";\n"
		"\tfreq = 1000000000;\n\toffset_s = %llu;\n\toffset = %llu;\n};\n\n",
		(unsigned long long)(offset / 1000000000), (unsigned long long)(offset % 1000000000));
	fputs("typealias integer { size = 64; align = 8; signed = false; map = clock.monotonic.value; } := time;\n\n"
	      "stream {\n\tid = 0;\n\tpacket.context := struct {\n\t\ttime timestamp_begin;\n\t\ttime timestamp_end;\n"
	      "\t\tu64 content_size;\n\t\tu64 packet_size;\n\t\tu64 events_discarded;\n\t};\n"
	      "\tevent.header := struct { u16 id; time timestamp; };\n\tevent.context := struct { u32 _tid; u64 "
	      "_late_ns; };\n};\n\n",
	      out);
	for (unsigned number = 0; number < PS_EVENT_MAX; number++)
		if (schema_event(number))
			put_event(out, number, schema_event(number));
}

/* ---- the stream ---- */

static int end_packet(struct export_run *run)
{
	struct ctf *state = run->state;
	if (!state->used)
		return 0;
	state->head.end_ns = state->ts;
	state->head.content_bits = state->head.packet_bits = 8 * state->used;
	state->head.discarded = run->model->lost_total;
	memcpy(state->room, &state->head, sizeof(state->head));
	size_t bytes = state->used;
	state->used = 0;
	errno = 0;
	return fwrite(state->room, 1, bytes, state->stream) == bytes ? 0 : errno ? -errno : -EIO;
}

static void put(struct ctf *state, const void *bytes, size_t count)
{
	memcpy(state->room + state->used, bytes, count);
	state->used += count;
}

static void put_tail(struct ctf *state, const struct ps_record *record, const struct event_schema *schema)
{
	const char *tail = (const char *)record + schema->size;
	size_t bytes = schema_tail_bytes(record);
	if (schema->tail == 1)
		state->used += text_clean((char *)state->room + state->used, 3 * 65536, tail, bytes) + 1;
	else
		put(state, tail, bytes);
}

static int record(struct export_run *run, const struct ps_record *record)
{
	struct ctf *state = run->state;
	const struct event_schema *schema = schema_event(record->event);
	int err = state->used >= PACKET_BYTES ? end_packet(run) : 0;
	if (!schema || err)
		return err;
	uint64_t ts = record->ts > state->ts && record->ts <= INT64_MAX ? record->ts : state->ts;
	const struct event_head head = { record->event, ts, record->tid, ts - record->ts };
	if (!state->used) {
		state->head = (struct packet_head){ .magic = 0xC1FC1FC1, .begin_ns = ts };
		state->used = sizeof(state->head);
	}
	state->ts = ts;
	put(state, &head, sizeof(head));
	for (unsigned i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->unit != UNIT_PADDING)
			put(state, (const char *)record + field->offset, field->size);
	}
	if (schema->tail)
		put_tail(state, record, schema);
	return 0;
}

static int begin(struct export_run *run)
{
	struct ctf *state = run->state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	errno = 0;
	FILE *metadata = open_in(run, "metadata");
	if (!metadata)
		return errno ? -errno : -ENOMEM;
	put_metadata(metadata, run->info);
	if (fclose(metadata))
		return errno ? -errno : -EIO;
	state->stream = open_in(run, "events");
	return state->stream ? 0 : errno ? -errno : -ENOMEM;
}

static int end(struct export_run *run)
{
	struct ctf *state = run->state;
	if (!state)
		return 0;
	int err = state->stream ? end_packet(run) : 0;
	if (state->stream && fclose(state->stream) && !err)
		err = errno ? -errno : -EIO;
	free(state);
	run->state = NULL;
	return err;
}

const struct exporter export_ctf = {
	.name = "ctf",
	.suffix = "",
	.note = "a folder in Common Trace Format 1.8, for babeltrace2",
	.is_folder = 1,
	.begin = begin,
	.record = record,
	.end = end,
};
