/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of exporters, and the run of a recording through one of them. */
#include "export.h"

#include <errno.h>
#include <string.h>

extern const struct exporter export_chrome, export_csv, export_ctf, export_folded, export_json, export_openmetrics, export_perfetto,
	export_pprof;

const struct exporter *const exporters[] = {
	&export_perfetto, &export_chrome, &export_folded, &export_pprof, &export_csv, &export_json, &export_ctf, &export_openmetrics, NULL,
};

const struct exporter *exporter_find(const char *name)
{
	for (const struct exporter *const *exporter = exporters; *exporter; exporter++)
		if (!strcmp((*exporter)->name, name))
			return *exporter;
	return NULL;
}

/* Makes room for the id at the end of the cursor's window. */
static void give_up_before(struct stall_cursor *cursor, uint64_t id)
{
	uint64_t shift = id - cursor->next >= STALL_CURSOR ? id - cursor->next - STALL_CURSOR + 1 : 0;
	cursor->told = shift >= STALL_CURSOR ? 0 : cursor->told >> shift;
	cursor->next += shift;
}

int stalls_each_closed(struct stall_cursor *cursor, const struct model *model,
		       int (*visit)(void *arg, const struct stall *stall), void *arg)
{
	size_t at = model->stall_count;
	int err = 0;
	while (at && model->stalls[at - 1]->id >= cursor->next)
		at--;
	for (; at < model->stall_count && !err; at++) {
		const struct stall *stall = model->stalls[at];
		if (stall->open)
			continue;
		give_up_before(cursor, stall->id);
		uint64_t bit = 1ull << (stall->id - cursor->next);
		if (cursor->told & bit)
			continue;
		cursor->told |= bit;
		err = visit(arg, stall);
	}
	for (; cursor->told & 1; cursor->told >>= 1)
		cursor->next++;
	return err;
}

static int run_records(const struct exporter *exporter, struct export_run *run, struct model *model,
		       struct psr_reader *reader)
{
	const struct ps_record *record;
	int err = exporter->begin(run), got = 0;
	while (!err && (got = psr_reader_next(reader, &record)) > 0) {
		err = model_apply(model, record, record->size);
		if (!err)
			err = exporter->record(run, record);
		if (!err && run->out && ferror(run->out))
			err = errno ? -errno : -EIO;
	}
	int end = exporter->end(run); /* frees its state, so it is called in any case */
	return err ? err : got < 0 ? got : end;
}

static int run_all(const struct exporter *exporter, struct psr_reader *reader, FILE *out, int folder)
{
	const struct psr_info *info = psr_reader_info(reader);
	struct model *model = NULL;
	int err = model_open(&model, &(struct model_config){ .stall_ns = info->stall_ns });
	if (err)
		return err;
	struct export_run run = { .out = out, .folder = folder, .model = model, .info = info };
	errno = 0;
	err = run_records(exporter, &run, model, reader);
	if (out && fflush(out) && !err)
		err = errno ? -errno : -EIO;
	model_close(model);
	return err;
}

int export_recording(const struct exporter *exporter, struct psr_reader *reader, FILE *out)
{
	return exporter->is_folder ? -EINVAL : run_all(exporter, reader, out, -1);
}

int export_into(const struct exporter *exporter, struct psr_reader *reader, int folder)
{
	return exporter->is_folder ? run_all(exporter, reader, NULL, folder) : -EINVAL;
}
