/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of the summary about what was read from the memory of a loop that was not prepared. */
#include "summary_parts.h"

#include "schema.h"

static json_t *handles(const struct loop *loop)
{
	json_t *list = json_array();
	for (size_t i = 0; i < loop->handle_kind_count; i++) {
		const struct handle_stat *row = &loop->handles_by_kind[i];
		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", kind_name(row->kind),
						      "count", summary_number(row->count), "active",
						      summary_number(row->active), "ref", summary_number(row->ref),
						      "closing", summary_number(row->closing)));
	}
	return list;
}

json_t *summary_snapshot(const struct loop *loop)
{
	const struct loop_snapshot *snapshot = &loop->snapshot;
	if (!snapshot->ns)
		return NULL;
	json_t *object = json_object();
	summary_put(object, "ns", summary_number(snapshot->ns));
	summary_put(object, "took_ns", summary_number(snapshot->took_ns));
	summary_put(object, "iterations", summary_number(snapshot->iterations));
	summary_put(object, "iterations_seen", summary_number(snapshot->iterations_seen));
	summary_put(object, "active_handles", summary_number(snapshot->active_handles));
	summary_put(object, "active_reqs", summary_number(snapshot->active_reqs));
	summary_put(object, "handles", summary_number(snapshot->handles));
	summary_put(object, "handles_by_kind", handles(loop));
	summary_put(object, "pending", summary_number(snapshot->pending));
	summary_put(object, "closing", summary_number(snapshot->closing));
	summary_put(object, "watchers", summary_number(snapshot->watchers));
	summary_put(object, "note", summary_text(snapshot->note));
	return object;
}
