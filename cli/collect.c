/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat and record: the same watch, with or without a recording beside it. The
 * summary is made from the model after the last drain, so a recording of the
 * same run gives the same numbers.
 */
#include "collect.h"

#include <errno.h>
#include <string.h>

#include "command.h"
#include "fault.h"
#include "recording.h"
#include "summary.h"
#include "watch.h"

static int put_json(json_t *document, size_t flags)
{
	errno = 0;
	if (json_dumpf(document, stdout, flags) || putchar('\n') == EOF)
		return errno ? -errno : -EIO;
	return fflush(stdout) ? -errno : 0;
}

static int tell(const struct model *model, const struct psr_info *info, int json, size_t flags)
{
	json_t *document = summary_document(model, COMMAND_TOOL, 0);
	if (document)
		summary_identify(document, info);
	int err = !document ? -ENOMEM : json ? put_json(document, flags) : summary_print(document, stdout);
	json_decref(document);
	int code = fault_code(SIDE_OUTPUT, err);
	return code ? fault(code, "cannot write the summary: %s", strerror(-err)) : 0;
}

int tell_recorded(const struct model *model, const struct psr_info *info, const struct options *options)
{
	return tell(model, info, options->json || options->jsonl, options->jsonl ? JSON_COMPACT : JSON_INDENT(2));
}

int tell_summary(const struct model *model, const struct options *options)
{
	struct psr_info info;
	recording_describe(&info, model->config.stall_ns);
	return tell_recorded(model, &info, options);
}

int tell_line(const struct model *model)
{
	struct psr_info info;
	recording_describe(&info, model->config.stall_ns);
	return tell(model, &info, 1, JSON_COMPACT);
}

static void put_line(struct watch *watch, void *arg)
{
	uint64_t *lines = arg;
	int code = tell_line(watch->model);
	if (code || ferror(stdout)) {
		watch->code = code;
		watch_stop(watch, WATCH_FAILED);
	}
	if (watch->options->count && ++*lines >= watch->options->count)
		watch_stop(watch, WATCH_COUNT_REACHED);
}

static void say_recorded(const struct watch *watch)
{
	if (watch->tape)
		tape_tell(watch->tape, watch->events, watch->model->lost_total);
}

static int run(const struct options *options, struct tape *tape, int silent)
{
	struct watch watch = { .from_now = 1, .only_records = silent };
	uint64_t lines = 0;
	int code = watch_open(&watch, options, tape);
	if (options->jsonl) {
		watch.each_second = put_line;
		watch.arg = &lines;
	} else {
		watch.most_events = options->count;
	}
	if (!code) {
		code = watch_run(&watch);
		int finished = watch_finish(&watch); /* also after a failure: what has come in is kept */
		code = code ? code : finished;
		say_recorded(&watch);
		int told = silent || options->jsonl || code == CLI_NO_TARGET ? 0 : tell_summary(watch.model, options);
		code = code ? code : told;
	}
	watch_close(&watch);
	return code;
}

int collect(const struct options *options, int silent)
{
	struct tape tape;
	if (!options->output)
		return run(options, NULL, silent);
	int code = tape_open(&tape, options);
	if (code)
		return code;
	code = run(options, &tape, silent);
	int closed = tape_close(&tape);
	return code ? code : closed;
}
