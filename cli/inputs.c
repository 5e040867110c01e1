/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each file becomes a document at once, so that only documents are kept: a
 * folder of recordings may be larger than the memory.
 */
#include "inputs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "fault.h"
#include "recording.h"
#include "summary.h"

#define MAX_INPUTS 10000

static int ends_in(const char *name, const char *suffix)
{
	size_t bytes = strlen(name), tail = strlen(suffix);
	return bytes > tail && !strcmp(name + bytes - tail, suffix);
}

static int load_summary(json_t **document, const char *name)
{
	json_error_t error;
	*document = json_load_file(name, JSON_REJECT_DUPLICATES, &error);
	const json_t *version = json_object_get(*document, "schema_version");
	if (json_is_integer(version) && json_is_array(json_object_get(*document, "loops"))) {
		if (json_integer_value(version) == SUMMARY_SCHEMA_VERSION)
			return 0;
		return fault(CLI_USAGE, "cannot read %s: it has schema version %lld, this pollscope reads %d", name,
			     (long long)json_integer_value(version), SUMMARY_SCHEMA_VERSION);
	}
	if (*document)
		return fault(CLI_USAGE, "cannot read %s: it is no summary document of pollscope", name);
	return fault(CLI_USAGE, "cannot read %s: %s (line %d, column %d)", name, error.text, error.line, error.column);
}

static int load_recording(json_t **document, const char *name, uint64_t stall_ns)
{
	struct recording recording;
	int code = recording_open(&recording, name, stall_ns);
	if (code)
		return code;
	code = recording_read(&recording);
	if (!code && !(*document = summary_document(recording.model, COMMAND_TOOL, 0)))
		code = fault(CLI_OUTPUT, "not enough memory for %s", name);
	if (!code)
		summary_identify(*document, psr_reader_info(recording.reader));
	recording_close(&recording);
	return code;
}

static int grow(struct inputs *inputs)
{
	size_t room = inputs->room ? 2 * inputs->room : 16;
	if (inputs->count < inputs->room)
		return 0;
	if (inputs->count >= MAX_INPUTS)
		return fault(CLI_USAGE, "more than %d recordings: compare fewer of them", MAX_INPUTS);
	void *documents = realloc(inputs->documents, room * sizeof(*inputs->documents));
	if (documents)
		inputs->documents = documents;
	void *names = documents ? realloc(inputs->names, room * sizeof(*inputs->names)) : NULL;
	if (!names)
		return fault(CLI_OUTPUT, "not enough memory");
	inputs->names = names;
	inputs->room = room;
	/* cppcheck-suppress memleak ; both are in inputs */
	return 0;
}

static int add_file(struct inputs *inputs, const char *name, uint64_t stall_ns)
{
	json_t *document = NULL;
	int code = grow(inputs);
	if (!code)
		code = ends_in(name, ".json") ? load_summary(&document, name) : load_recording(&document, name, stall_ns);
	char *copy = code ? NULL : strdup(name);
	if (!code && !copy)
		code = fault(CLI_OUTPUT, "not enough memory");
	if (code) {
		json_decref(document);
		return code;
	}
	inputs->documents[inputs->count] = document;
	inputs->names[inputs->count++] = copy;
	return 0;
}

/* 1: "x.json" where there is an "x.psr" too, which says more */
static int is_double(const char *path)
{
	char other[PATH_MAX];
	if (!ends_in(path, ".json"))
		return 0;
	snprintf(other, sizeof(other), "%.*s.psr", (int)(strlen(path) - 5), path);
	return !access(other, F_OK);
}

static int is_input(const struct dirent *entry)
{
	return ends_in(entry->d_name, ".psr") || ends_in(entry->d_name, ".json");
}

static int add_folder(struct inputs *inputs, const char *name, uint64_t stall_ns)
{
	struct dirent **entries = NULL;
	size_t before = inputs->count;
	int code = 0, count = scandir(name, &entries, is_input, alphasort);
	if (count < 0)
		return fault(CLI_USAGE, "cannot read %s: %s", name, strerror(errno));
	for (int i = 0; i < count; i++) {
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%s/%s", name, entries[i]->d_name);
		if (!code && !is_double(path))
			code = add_file(inputs, path, stall_ns);
		free(entries[i]);
	}
	free(entries);
	if (!code && inputs->count == before)
		return fault(CLI_USAGE, "%s holds no recording (.psr) and no summary (.json)", name);
	return code;
}

int inputs_add(struct inputs *inputs, const char *name, uint64_t stall_ns)
{
	struct stat st;
	if (!stat(name, &st) && S_ISDIR(st.st_mode))
		return add_folder(inputs, name, stall_ns);
	return add_file(inputs, name, stall_ns);
}

struct check_runs inputs_runs(const struct inputs *inputs)
{
	return (struct check_runs){ inputs->documents, (const char *const *)inputs->names, inputs->count };
}

void inputs_free(struct inputs *inputs)
{
	for (size_t i = 0; i < inputs->count; i++) {
		json_decref(inputs->documents[i]);
		free(inputs->names[i]);
	}
	free(inputs->documents);
	free(inputs->names);
	*inputs = (struct inputs){ 0 };
}
