/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The budget file: YAML read with libyaml, whose nodes know line and column, so
 * a wrong key, metric or value is answered with its place and the nearest known
 * name. The file is the user's, its text is cleaned before it is shown.
 */
#include "check_parts.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "model.h"
#include "schema.h"
#include "text.h"

#define MAX_FILE    (1u << 20)
#define MAX_BUDGETS 10000u
#define BUDGET_RUNS 10      /* of each side, unless the file says otherwise */
#define BUDGET_RUNS_LEAST 4 /* below, even the clearest difference is chance in one of 20 cases */

struct reader {
	yaml_document_t *document;
	const char *path;
	char *message;
	size_t room;
	struct budget_file *file;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct reader *reader, const yaml_node_t *node, const char *format, ...)
{
	char text[512], place[128] = "";
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (node)
		snprintf(place, sizeof(place), ":%zu:%zu", node->start_mark.line + 1, node->start_mark.column + 1);
	char whole[1024];
	int length = snprintf(whole, sizeof(whole), "%.300s%s: %s", reader->path, place, text);
	text_clean(reader->message, reader->room, whole, length < (int)sizeof(whole) ? (size_t)length : sizeof(whole) - 1);
	return -EINVAL;
}

/* A scalar's text, NULL for anything else or text with zero bytes in it. */
static const char *scalar(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	const char *text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

/* ---- mappings: one row per key ---- */

struct key {
	const char *name;
	int (*take)(struct reader *reader, yaml_node_t *value, void *into);
};

static int unknown_key(struct reader *reader, const yaml_node_t *node, const char *name, const struct key *keys)
{
	const char *names[16] = { 0 };
	for (size_t i = 0; i < 15 && keys[i].name; i++)
		names[i] = keys[i].name;
	const char *near = text_nearest(name, names);
	return refuse(reader, node, "unknown key \"%.60s\"%s%s%s", name, near ? ", did you mean \"" : "", near ? near : "",
		      near ? "\"?" : "");
}

static int read_mapping(struct reader *reader, yaml_node_t *node, const struct key *keys, void *into, const char *what)
{
	uint32_t seen = 0;
	if (!node || node->type != YAML_MAPPING_NODE)
		return refuse(reader, node, "%s must be a mapping of keys to values", what);
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
		yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
		const char *name = scalar(key);
		unsigned at = 0;
		if (!name)
			return refuse(reader, key, "a key must be a word");
		while (keys[at].name && strcmp(keys[at].name, name))
			at++;
		if (!keys[at].name)
			return unknown_key(reader, key, name, keys);
		if (seen >> at & 1)
			return refuse(reader, key, "\"%s\" stands here twice", name);
		seen |= 1u << at;
		int err = keys[at].take(reader, value, into);
		if (err)
			return err;
	}
	return 0;
}

/* ---- where ---- */

static int take_word(struct reader *reader, yaml_node_t *value, char *into, size_t room, const char *const *known, const char *what)
{
	const char *text = scalar(value);
	if (!text || !*text || strlen(text) >= room)
		return refuse(reader, value, "%s must be a word of at most %zu bytes", what, room - 1);
	for (size_t i = 0; known; i++) {
		if (!known[i]) {
			const char *near = text_nearest(text, known);
			return refuse(reader, value, "unknown %s \"%.60s\"%s%s%s", what, text, near ? ", did you mean \"" : "",
				      near ? near : "", near ? "\"?" : "");
		}
		if (!strcmp(known[i], text))
			break;
	}
	text_clean(into, room, text, strlen(text));
	return 0;
}

static int take_rule(struct reader *reader, yaml_node_t *value, void *into)
{
	const char *known[RULE_COUNT + 1] = { 0 };
	for (unsigned i = 0; i < RULE_COUNT; i++)
		known[i] = stall_rule_name(i);
	return take_word(reader, value, ((struct where *)into)->rule, sizeof(((struct where *)into)->rule), known, "rule");
}

static int take_cause(struct reader *reader, yaml_node_t *value, void *into)
{
	const char *known[CAUSE_COUNT + 1] = { 0 };
	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		known[i] = stall_cause_name(i);
	return take_word(reader, value, ((struct where *)into)->cause, sizeof(((struct where *)into)->cause), known, "cause");
}

static int take_phase(struct reader *reader, yaml_node_t *value, void *into)
{
	const char *known[PS_PHASE_COUNT + 1] = { 0 };
	for (unsigned i = 0; i < PS_PHASE_COUNT; i++)
		known[i] = phase_name(i);
	return take_word(reader, value, ((struct where *)into)->phase, sizeof(((struct where *)into)->phase), known, "phase");
}

static int take_culprit(struct reader *reader, yaml_node_t *value, void *into)
{
	return take_word(reader, value, ((struct where *)into)->culprit, sizeof(((struct where *)into)->culprit), NULL, "culprit");
}

static int take_comm(struct reader *reader, yaml_node_t *value, void *into)
{
	return take_word(reader, value, ((struct where *)into)->comm, sizeof(((struct where *)into)->comm), NULL, "comm");
}

static const struct key where_keys[] = {
	{ "rule", take_rule }, { "cause", take_cause }, { "phase", take_phase }, { "culprit", take_culprit }, { "comm", take_comm },
	{ NULL, NULL },
};

/* ---- one budget ---- */

struct entry {
	struct budget budget;
	yaml_node_t *metric, *where, *max, *min, *margin;
};

static int take_metric(struct reader *reader, yaml_node_t *value, void *into)
{
	struct entry *entry = into;
	const char *name = scalar(value);
	entry->metric = value;
	if (!name || strlen(name) >= sizeof(entry->budget.metric))
		return refuse(reader, value, "metric must be a word of at most %zu bytes", sizeof(entry->budget.metric) - 1);
	entry->budget.row = metric_find(name);
	if (!entry->budget.row) {
		const char *near = metric_nearest(name);
		return refuse(reader, value, "unknown metric \"%.60s\"%s%s%s", name, near ? ", did you mean \"" : "",
			      near ? near : "", near ? "\"?" : "");
	}
	snprintf(entry->budget.metric, sizeof(entry->budget.metric), "%s", name);
	return 0;
}

static int take_where(struct reader *reader, yaml_node_t *value, void *into)
{
	struct entry *entry = into;
	entry->where = value;
	entry->budget.has_where = 1;
	return read_mapping(reader, value, where_keys, &entry->budget.where, "where");
}

static int take_max(struct reader *reader, yaml_node_t *value, void *into)
{
	((struct entry *)into)->max = value;
	return 0;
}

static int take_min(struct reader *reader, yaml_node_t *value, void *into)
{
	((struct entry *)into)->min = value;
	return 0;
}

/* "5%" as a share */
static int read_percent(struct reader *reader, const yaml_node_t *node, const char *what, double most, double *share)
{
	char *end;
	const char *text = scalar(node);
	double percent = text ? strtod(text, &end) : NAN;
	if (!text || end == text || strcmp(end, "%") || !(percent >= 0 && percent <= most))
		return refuse(reader, node, "%s must be a percentage, as 5%%", what);
	*share = percent / 100;
	return 0;
}

static int take_margin(struct reader *reader, yaml_node_t *value, void *into)
{
	struct entry *entry = into;
	entry->margin = value;
	return read_percent(reader, value, "margin", 1000, &entry->budget.margin);
}

static const struct key budget_keys[] = {
	{ "metric", take_metric }, { "where", take_where }, { "max", take_max }, { "min", take_min }, { NULL, NULL },
};
static const struct key regression_keys[] = {
	{ "metric", take_metric }, { "where", take_where }, { "margin", take_margin }, { "max", take_max }, { NULL, NULL },
};

static int read_limit(struct reader *reader, const struct budget *budget, const yaml_node_t *node, double *limit)
{
	const char *text = scalar(node);
	uint64_t exact;
	char *end;
	if (!text || !*text)
		return refuse(reader, node, "a limit must be a number");
	double value = strtod(text, &end);
	int is_number = end != text && isfinite(value) && value >= 0;
	if (metric_is_duration(budget->row)) {
		if (is_number && !*end && value == 0) {
			*limit = 0;
			return 0;
		}
		if (text_parse_duration(text, &exact))
			return refuse(reader, node, "\"%.40s\" is no duration: %s needs one with its unit, as 20ms", text, budget->metric);
		*limit = (double)exact;
		return 0;
	}
	if (is_number && (!*end || !strcmp(end, "%"))) {
		*limit = *end ? value / 100 : value;
		return 0;
	}
	if (!strstr(budget->row->path, "_bytes") || text_parse_size(text, &exact))
		return refuse(reader, node, "\"%.40s\" is no number", text);
	*limit = (double)exact;
	return 0;
}

/* Stalls are chosen by what they are, everything of a loop by the loop's name. */
static int check_where(struct reader *reader, const struct entry *entry)
{
	const struct where *where = &entry->budget.where;
	const struct metric *row = entry->budget.row;
	int of_loops = !strncmp(row->path, "loops.", 6) || row->class == CLASS_NEW;
	int of_stalls = *where->rule || *where->cause || *where->phase || *where->culprit;
	if (!entry->where || metric_is_of_stalls(row) || (of_loops && !of_stalls))
		return 0;
	return refuse(reader, entry->where, "where filters stalls: use it with stall.count, stall.max or stall.total (comm: with all of a loop)");
}

static int add_budget(struct reader *reader, const struct budget *budget)
{
	struct budget_file *file = reader->file;
	if (file->count >= MAX_BUDGETS)
		return refuse(reader, NULL, "more than %u budgets", MAX_BUDGETS);
	struct budget *moved = realloc(file->budgets, (file->count + 1) * sizeof(*moved));
	if (!moved)
		return -ENOMEM;
	file->budgets = moved;
	file->budgets[file->count++] = *budget;
	return 0;
}

static int read_budget(struct reader *reader, yaml_node_t *node)
{
	struct entry entry = { 0 };
	int err = read_mapping(reader, node, budget_keys, &entry, "a budget");
	if (err)
		return err;
	if (!entry.metric)
		return refuse(reader, node, "a budget needs a metric");
	if (entry.budget.row->class == CLASS_NEW)
		return refuse(reader, entry.metric, "%s compares with a baseline: it belongs under regressions", entry.budget.metric);
	if (!entry.max && !entry.min)
		return refuse(reader, node, "the budget of %s needs a max or a min", entry.budget.metric);
	err = check_where(reader, &entry);
	if (err)
		return err;
	entry.budget.has_max = entry.max != NULL;
	entry.budget.has_min = entry.min != NULL;
	if (entry.max)
		err = read_limit(reader, &entry.budget, entry.max, &entry.budget.max);
	if (!err && entry.min)
		err = read_limit(reader, &entry.budget, entry.min, &entry.budget.min);
	return err ? err : add_budget(reader, &entry.budget);
}

/* What may change by chance alone, where the file does not say. */
static double default_margin(enum metric_class class)
{
	static const double margins[] = { [CLASS_WALL] = 0.10, [CLASS_CPU] = 0.03, [CLASS_STRUCTURAL] = 0, [CLASS_NEW] = 0 };
	return margins[class];
}

static int read_regression(struct reader *reader, yaml_node_t *node)
{
	struct entry entry = { 0 };
	int err = read_mapping(reader, node, regression_keys, &entry, "a regression");
	if (err)
		return err;
	if (!entry.metric)
		return refuse(reader, node, "a regression needs a metric");
	struct budget *budget = &entry.budget;
	int is_new = budget->row->class == CLASS_NEW;
	err = check_where(reader, &entry);
	if (err)
		return err;
	if (entry.margin && is_new)
		return refuse(reader, entry.margin, "%s counts new things: give a max, not a margin", budget->metric);
	if (entry.max && !is_new)
		return refuse(reader, entry.max, "a regression has a margin; a max belongs under budgets");
	budget->is_regression = 1;
	if (!entry.margin)
		budget->margin = default_margin(budget->row->class);
	if (entry.max)
		err = read_limit(reader, budget, entry.max, &budget->max);
	return err ? err : add_budget(reader, budget);
}

/* ---- the file ---- */

static int each_item(struct reader *reader, yaml_node_t *list, int (*take)(struct reader *, yaml_node_t *), const char *what)
{
	int err = 0;
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return refuse(reader, list, "%s must be a list", what);
	for (yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top && !err; item++)
		err = take(reader, yaml_document_get_node(reader->document, *item));
	return err;
}

static int take_schema(struct reader *reader, yaml_node_t *value, void *into)
{
	const char *text = scalar(value);
	*(int *)into = 1;
	return text && !strcmp(text, "1") ? 0 : refuse(reader, value, "this version reads schema 1");
}

static int take_budgets(struct reader *reader, yaml_node_t *value, void *into)
{
	return each_item(reader, value, read_budget, "budgets");
}

static int take_regressions(struct reader *reader, yaml_node_t *value, void *into)
{
	return each_item(reader, value, read_regression, "regressions");
}

static int take_runs(struct reader *reader, yaml_node_t *value, void *into)
{
	char *end;
	const char *text = scalar(value);
	long runs = text ? strtol(text, &end, 10) : 0;
	if (!text || *end || runs < BUDGET_RUNS_LEAST || runs > 1000)
		return refuse(reader, value, "runs must be a number from %d to 1000: with fewer nothing can be told from chance",
			      BUDGET_RUNS_LEAST);
	reader->file->runs = (size_t)runs;
	return 0;
}

static int take_loss(struct reader *reader, yaml_node_t *value, void *into)
{
	return read_percent(reader, value, "loss", 100, &reader->file->loss);
}

static const struct key file_keys[] = {
	{ "schema", take_schema }, { "runs", take_runs }, { "loss", take_loss }, { "budgets", take_budgets },
	{ "regressions", take_regressions }, { NULL, NULL },
};

static int read_document(struct reader *reader)
{
	int has_schema = 0;
	yaml_node_t *root = yaml_document_get_root_node(reader->document);
	if (!root)
		return refuse(reader, NULL, "the file is empty: it needs schema and budgets");
	int err = read_mapping(reader, root, file_keys, &has_schema, "the file");
	if (!err && !has_schema)
		return refuse(reader, root, "schema is missing: begin with \"schema: 1\"");
	if (!err && !reader->file->count)
		return refuse(reader, root, "there is no budget in it: nothing would be checked");
	return err;
}

static int read_stream(struct reader *reader, FILE *stream)
{
	yaml_parser_t parser;
	yaml_document_t document, second;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_file(&parser, stream);
	if (!yaml_parser_load(&parser, &document)) {
		yaml_node_t at = { .start_mark = parser.problem_mark };
		int err = refuse(reader, &at, "not YAML: %s", parser.problem ? parser.problem : "cannot be read");
		yaml_parser_delete(&parser);
		return err;
	}
	/* cppcheck-suppress autoVariables ; the reader ends before the document does */
	reader->document = &document;
	int err = read_document(reader);
	yaml_document_delete(&document);
	int more = !err && yaml_parser_load(&parser, &second);
	if (!err && (!more || yaml_document_get_root_node(&second)))
		err = refuse(reader, NULL, "something follows the end of the document");
	if (more)
		yaml_document_delete(&second);
	yaml_parser_delete(&parser);
	return err;
}

int budget_open(struct budget_file **budgets, const char *path, char *message, size_t room)
{
	*budgets = NULL;
	if (room)
		*message = '\0';
	FILE *stream = fopen(path, "re");
	struct budget_file *file = stream ? calloc(1, sizeof(*file)) : NULL;
	struct reader reader = { .path = path, .message = message, .room = room, .file = file };
	int err = 0;
	if (!stream) {
		err = -errno;
		refuse(&reader, NULL, "cannot be opened: %s", strerror(-err));
		return err;
	}
	if (file)
		file->runs = BUDGET_RUNS;
	else
		err = -ENOMEM;
	if (!err && (fseek(stream, 0, SEEK_END) == 0 && ftell(stream) > (long)MAX_FILE))
		err = refuse(&reader, NULL, "larger than 1 MiB: that is no budget file");
	rewind(stream);
	if (!err)
		err = read_stream(&reader, stream);
	fclose(stream);
	if (err) {
		budget_close(file);
		return err;
	}
	*budgets = file;
	return 0;
}

void budget_close(struct budget_file *budgets)
{
	if (!budgets)
		return;
	free(budgets->budgets);
	free(budgets);
}
