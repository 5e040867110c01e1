/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every record as one JSON object on a line, made from the field table: the
 * recording for jq and scripts. Not measured (PS_UNKNOWN) is null.
 */
#include <errno.h>

#include "export.h"
#include "export_text.h"
#include "schema.h"
#include "text.h"

static int is_unknown(const struct field *field, uint64_t value)
{
	return field->size == 8 && !field->is_signed && value == PS_UNKNOWN;
}

static void put_field(FILE *out, const struct ps_record *record, const struct field *field)
{
	uint64_t value = schema_value(record, field);
	fprintf(out, ",\"%s\":", field->name);
	if (is_unknown(field, value))
		fputs("null", out);
	else if (field->is_signed)
		fprintf(out, "%lld", (long long)value);
	else
		fprintf(out, "%llu", (unsigned long long)value);
}

static void put_tail(FILE *out, const struct ps_record *record, const struct event_schema *schema)
{
	const char *tail = (const char *)record + schema->size;
	size_t bytes = schema_tail_bytes(record);
	if (schema->tail == 1) {
		static char text[3 * 65536 + 1];
		text_clean(text, sizeof(text), tail, bytes);
		fputs(",\"text\":", out);
		json_put_text(out, text);
		return;
	}
	fputs(",\"frames\":[", out);
	for (size_t i = 0; i < bytes / 4; i++)
		fprintf(out, "%s%u", i ? "," : "", ((const uint32_t *)tail)[i]);
	fputs("]", out);
}

static int begin(struct export_run *run)
{
	return 0;
}

static int record(struct export_run *run, const struct ps_record *record)
{
	const struct event_schema *schema = schema_event(record->event);
	if (!schema)
		return 0;
	fprintf(run->out, "{\"event\":\"%s\",\"ts\":%llu,\"tid\":%u", schema->name, (unsigned long long)record->ts,
		record->tid);
	for (unsigned i = 0; i < schema->field_count; i++)
		if (schema->fields[i].unit != UNIT_PADDING)
			put_field(run->out, record, &schema->fields[i]);
	if (schema->tail)
		put_tail(run->out, record, schema);
	fputs("}\n", run->out);
	return 0;
}

static int end(struct export_run *run)
{
	return 0;
}

const struct exporter export_json = {
	.name = "json",
	.suffix = ".jsonl",
	.note = "every record as a line of JSON",
	.begin = begin,
	.record = record,
	.end = end,
};
