/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema block of a recording: printed from our field table, parsed into a
 * plan. A file's events and fields are matched with ours by name, so numbers
 * may move and either side may know more: what we lack is decoded and dropped,
 * what the file lacks is "not measured".
 *
 * Block: per event  u16 number, u8 tail, u8 fields, name
 *        per field  u8 size, u8 signed, u8 unit, u8 link, name   (padding is left out)
 *        name       u8 length, bytes
 */
#include "psr_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

static unsigned char *put_name(unsigned char *out, const char *name)
{
	*out++ = (unsigned char)strlen(name);
	while (*name)
		*out++ = (unsigned char)*name++;
	return out;
}

static unsigned char *put_event(unsigned char *out, unsigned number, const struct event_schema *schema)
{
	unsigned char *count = out + 3;
	*out++ = (unsigned char)number;
	*out++ = (unsigned char)(number >> 8);
	*out++ = (unsigned char)schema->tail;
	*out++ = 0;
	out = put_name(out, schema->name);
	for (unsigned i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		if (field->unit == UNIT_PADDING)
			continue;
		++*count;
		*out++ = (unsigned char)field->size;
		*out++ = (unsigned char)field->is_signed;
		*out++ = (unsigned char)field->unit;
		*out++ = (unsigned char)field->link;
		out = put_name(out, field->name);
	}
	return out;
}

size_t psr_schema_print(unsigned char *out)
{
	unsigned char scratch[4096]; /* one event */
	size_t bytes = 0;
	for (unsigned number = 0; number < PS_EVENT_MAX; number++) {
		const struct event_schema *schema = schema_event(number);
		if (!schema)
			continue;
		size_t length = (size_t)(put_event(scratch, number, schema) - scratch);
		if (out)
			memcpy(out + bytes, scratch, length);
		bytes += length;
	}
	return bytes;
}

/* ---- parsing: a cursor that goes bad once and stays so ---- */

struct cursor {
	const unsigned char *at, *end;
	int bad;
	int newer; /* a guess that is not known here: the records cannot be read */
};

static unsigned take(struct cursor *cursor)
{
	if (cursor->at < cursor->end)
		return *cursor->at++;
	cursor->bad = 1;
	return 0;
}

struct name {
	const char *text;
	size_t length;
};

static struct name take_name(struct cursor *cursor)
{
	struct name name = { .length = take(cursor) };
	if (name.length > (size_t)(cursor->end - cursor->at)) {
		cursor->bad = 1;
		name.length = 0;
	}
	name.text = (const char *)cursor->at;
	cursor->at += name.length;
	return name;
}

static int name_is(struct name name, const char *text)
{
	return strlen(text) == name.length && !memcmp(name.text, text, name.length);
}

static const struct event_schema *find_event(struct name name, unsigned *number)
{
	for (*number = 0; *number < PS_EVENT_MAX; ++*number) {
		const struct event_schema *schema = schema_event(*number);
		if (schema && name_is(name, schema->name))
			return schema;
	}
	return NULL;
}

static void parse_field(struct cursor *cursor, const struct event_schema *ours, struct plan_field *field)
{
	unsigned size = take(cursor), is_signed = take(cursor), unit = take(cursor);
	unsigned link = take(cursor);
	field->is_time = unit == UNIT_TIME;
	field->link = (uint8_t)(link % PSR_EVENTS);
	field->guess = (uint8_t)(field->is_time ? GUESS_LAST : link);
	cursor->newer |= field->guess >= GUESSES;
	struct name name = take_name(cursor);
	for (unsigned i = 0; ours && i < ours->field_count; i++) {
		const struct field *own = &ours->fields[i];
		if (!name_is(name, own->name) || own->unit == UNIT_PADDING)
			continue;
		if (own->size != size || own->is_signed != is_signed)
			return; /* another meaning under our name: leave it out */
		field->offset = own->offset;
		field->size = (uint8_t)own->size;
		field->own = (uint16_t)i;
	}
}

/* A u64 that may rightly be 0 and that the file does not tell is not measured. */
static void fill_image(struct plan_event *event, const struct psr_plan *plan, const struct event_schema *ours)
{
	for (unsigned i = 0; i < ours->field_count; i++) {
		const struct field *own = &ours->fields[i];
		int told = own->size != 8 || (own->unit != UNIT_NS && own->unit != UNIT_NUMBER && own->unit != UNIT_BYTES);
		for (unsigned j = 0; j < event->count; j++)
			told |= plan->fields[event->first + j].size && plan->fields[event->first + j].own == i;
		if (!told)
			memset(event->image + own->offset, 0xFF, 8);
	}
}

static int parse_event(struct cursor *cursor, struct psr_plan *plan)
{
	unsigned number = take(cursor), ours_number = 0;
	number |= take(cursor) << 8;
	unsigned tail = take(cursor), count = take(cursor);
	struct name name = take_name(cursor);
	if (cursor->bad || number >= PSR_EVENTS || plan->events[number].named || count > PSR_FIELDS ||
	    (tail != 0 && tail != 1 && tail != 4) || (tail && count < 2))
		return -EILSEQ;

	const struct event_schema *ours = find_event(name, &ours_number);
	if (ours && ours->tail != tail)
		ours = NULL;
	struct plan_event *event = &plan->events[number];
	struct ps_record head = { .event = (uint16_t)ours_number, .size = ours ? ours->size : sizeof(head) };
	*event = (struct plan_event){ .named = 1, .known = ours != NULL, .number = (uint16_t)number, .size = head.size,
				      .tail = (uint16_t)tail, .count = (uint16_t)count, .first = plan->field_count };
	memcpy(event->image, &head, sizeof(head));

	struct plan_field *fields = realloc(plan->fields, (plan->field_count + count + 1) * sizeof(*fields));
	if (!fields)
		return -ENOMEM;
	plan->fields = fields;
	memset(fields + plan->field_count, 0, count * sizeof(*fields));
	for (unsigned i = 0; i < count; i++)
		parse_field(cursor, ours, &fields[plan->field_count + i]);
	plan->field_count += count;
	if (ours)
		fill_image(event, plan, ours);
	return cursor->bad ? -EILSEQ : 0;
}

int psr_plan_open(struct psr_plan **out, const unsigned char *schema, size_t bytes)
{
	struct cursor cursor = { schema, schema + bytes, 0, 0 };
	struct psr_plan *plan = calloc(1, sizeof(*plan));
	int err = plan ? 0 : -ENOMEM;
	while (!err && cursor.at < cursor.end)
		err = parse_event(&cursor, plan);
	if (!err && cursor.newer)
		err = -EPROTONOSUPPORT;
	if (err)
		psr_plan_close(plan);
	else
		*out = plan;
	return err;
}

void psr_plan_close(struct psr_plan *plan)
{
	if (!plan)
		return;
	free(plan->fields);
	free(plan);
}
