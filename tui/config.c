/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration, with libyaml, whose nodes know line and column. A key that
 * is wrong costs itself only: the dashboard must come up whatever the file says.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "text.h"
#include "tui.h"

#define MAX_FILE (64u << 10)
#define REFRESH_LEAST_NS 50000000ull
#define REFRESH_MOST_NS 10000000000ull

struct reader {
	yaml_document_t *document;
	const char *path;
	struct config *config;
};

/* the first fault is told; the others would be its followers */
__attribute__((format(printf, 3, 4))) static void refuse(struct reader *reader, const yaml_node_t *node,
							 const char *format, ...)
{
	char text[160], whole[320];
	va_list args;
	if (*reader->config->fault)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	int length = snprintf(whole, sizeof(whole), "%.120s:%zu:%zu: %s", reader->path, node->start_mark.line + 1,
			      node->start_mark.column + 1, text);
	text_clean(reader->config->fault, sizeof(reader->config->fault), whole, (size_t)length);
}

static const char *scalar(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return NULL;
	const char *text = (const char *)node->data.scalar.value;
	return strlen(text) == node->data.scalar.length ? text : NULL;
}

/* a short plain word, or NULL after a refusal */
static const char *word(struct reader *reader, const yaml_node_t *node, size_t room, const char *what)
{
	const char *text = scalar(node);
	if (text && *text && strlen(text) < room &&
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyzPS-0123456789")] == '\0')
		return text;
	refuse(reader, node, "%s must be a short word", what);
	return NULL;
}

/* ---- tables ---- */

static void read_columns(struct reader *reader, yaml_node_t *list, struct config_table *table)
{
	if (list->type != YAML_SEQUENCE_NODE) {
		refuse(reader, list, "columns must be a list");
		return;
	}
	for (yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
		const char *name = word(reader, yaml_document_get_node(reader->document, *item), 16, "a column");
		if (name && table->count < CONFIG_NAMES)
			snprintf(table->columns[table->count++], 16, "%s", name);
	}
}

static void read_table(struct reader *reader, yaml_node_t *node, struct config_table *table)
{
	if (node->type != YAML_MAPPING_NODE) {
		refuse(reader, node, "a table must have columns, sort or reverse");
		return;
	}
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
		yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
		const char *name = scalar(key), *text = scalar(value);
		if (name && !strcmp(name, "columns"))
			read_columns(reader, value, table);
		else if (name && !strcmp(name, "sort") && (text = word(reader, value, 16, "sort")))
			snprintf(table->sort, sizeof(table->sort), "%s", text);
		else if (name && !strcmp(name, "reverse") && text && (!strcmp(text, "true") || !strcmp(text, "false")))
			table->reverse = *text == 't';
		else
			refuse(reader, key, "a table has columns, sort and reverse: true or false");
	}
}

static void take_tables(struct reader *reader, yaml_node_t *node)
{
	if (node->type != YAML_MAPPING_NODE) {
		refuse(reader, node, "tables must be a mapping of names");
		return;
	}
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const char *name =
			word(reader, yaml_document_get_node(reader->document, pair->key), 24, "a table's name");
		if (!name || reader->config->table_count == CONFIG_TABLES)
			continue;
		struct config_table *table = &reader->config->tables[reader->config->table_count++];
		*table = (struct config_table){ 0 };
		snprintf(table->name, sizeof(table->name), "%s", name);
		read_table(reader, yaml_document_get_node(reader->document, pair->value), table);
	}
}

/* ---- the keys of the file ---- */

static void take_theme(struct reader *reader, yaml_node_t *node)
{
	const char *text = scalar(node);
	for (int i = 0; text && i < THEME_COUNT; i++) {
		if (!strcmp(text, tui_theme_names[i])) {
			reader->config->theme = i;
			return;
		}
	}
	refuse(reader, node, "theme must be dark, light, mono or colour-blind");
}

static void take_refresh(struct reader *reader, yaml_node_t *node)
{
	const char *text = scalar(node);
	uint64_t ns;
	if (text && !text_parse_duration(text, &ns) && ns >= REFRESH_LEAST_NS && ns <= REFRESH_MOST_NS)
		reader->config->refresh_ns = ns;
	else
		refuse(reader, node, "refresh must be a time from 50ms to 10s");
}

static void take_muted(struct reader *reader, yaml_node_t *node)
{
	if (node->type != YAML_SEQUENCE_NODE) {
		refuse(reader, node, "muted must be a list of findings");
		return;
	}
	for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		const char *id = word(reader, yaml_document_get_node(reader->document, *item), 8, "a muted finding");
		if (id && !config_is_muted(reader->config, id))
			config_mute(reader->config, id);
	}
}

static const struct {
	const char *name;
	void (*take)(struct reader *reader, yaml_node_t *node);
} file_keys[] = {
	{ "theme", take_theme },
	{ "refresh", take_refresh },
	{ "muted", take_muted },
	{ "tables", take_tables },
};

static void read_root(struct reader *reader, yaml_node_t *root)
{
	if (root->type != YAML_MAPPING_NODE) {
		refuse(reader, root, "this must be a mapping of theme, refresh, muted and tables");
		return;
	}
	for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
		const char *name = scalar(key), *names[5] = { "theme", "refresh", "muted", "tables", NULL };
		size_t at = 0;
		while (at < 4 && (!name || strcmp(name, file_keys[at].name)))
			at++;
		if (at < 4) {
			file_keys[at].take(reader, yaml_document_get_node(reader->document, pair->value));
			continue;
		}
		const char *near = name ? text_nearest(name, names) : NULL;
		refuse(reader, key, "unknown key %.40s%s%s%s", name ? name : "", near ? "; did you mean " : "",
		       near ? near : "", near ? "?" : "");
	}
}

void config_read(struct config *config, const char *path)
{
	yaml_parser_t parser;
	yaml_document_t document;
	struct stat status;
	struct reader reader = { .path = path, .config = config };
	FILE *stream = fopen(path, "re");
	if (!stream) {
		if (errno != ENOENT && errno != ENOTDIR)
			snprintf(config->fault, sizeof(config->fault), "%.120s: %s", path, strerror(errno));
		return;
	}
	if (fstat(fileno(stream), &status) || !S_ISREG(status.st_mode) || status.st_size > MAX_FILE) {
		snprintf(config->fault, sizeof(config->fault), "%.120s: this is no configuration file", path);
	} else if (yaml_parser_initialize(&parser)) {
		yaml_parser_set_input_file(&parser, stream);
		if (!yaml_parser_load(&parser, &document)) {
			yaml_node_t at = { .start_mark = parser.problem_mark };
			refuse(&reader, &at, "not YAML: %s", parser.problem ? parser.problem : "cannot be read");
		} else {
			reader.document = &document;
			yaml_node_t *root = yaml_document_get_root_node(&document);
			if (root)
				read_root(&reader, root);
			yaml_document_delete(&document);
		}
		yaml_parser_delete(&parser);
	}
	fclose(stream);
}

/* ---- writing ---- */

static void write_all(const struct config *config, FILE *out)
{
	fprintf(out,
		"# pollscope's dashboard: written by it, and read at its start\ntheme: %s\nrefresh: %llums\nmuted: [",
		tui_theme_names[config->theme], (unsigned long long)(config->refresh_ns / 1000000));
	for (int i = 0; i < config->muted_count; i++)
		fprintf(out, "%s%s", i ? ", " : "", config->muted[i]);
	fprintf(out, "]\n%s", config->table_count ? "tables:\n" : "");
	for (int i = 0; i < config->table_count; i++) {
		const struct config_table *table = &config->tables[i];
		fprintf(out, "  %s: { ", table->name);
		for (int k = 0; k < table->count; k++)
			fprintf(out, "%s%s%s", k ? ", " : "columns: [", table->columns[k],
				k + 1 == table->count ? "], " : "");
		if (*table->sort)
			fprintf(out, "sort: %s, ", table->sort);
		fprintf(out, "reverse: %s }\n", table->reverse ? "true" : "false");
	}
}

/* Under sudo the home may be the user's: what root makes there is to be the user's too. */
static void inherit_owner(const char *path)
{
	char parent[520];
	struct stat status;
	if (geteuid())
		return;
	snprintf(parent, sizeof(parent), "%s", path);
	char *slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return;
	*slash = '\0';
	if (!stat(parent, &status) && lchown(path, status.st_uid, status.st_gid))
		return; /* then it stays root's, which still works for root */
}

static int make_folder(const char *path)
{
	char folder[512];
	snprintf(folder, sizeof(folder), "%s", path);
	for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (!mkdir(folder, 0700))
			inherit_owner(folder);
		else if (errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return 0;
}

int config_write(const struct config *config, const char *path)
{
	char name[520];
	snprintf(name, sizeof(name), "%s.new", path);
	int err = make_folder(path);
	if (err)
		return err;
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	write_all(config, out);
	err = ferror(out) ? -EIO : 0;
	if (fclose(out) && !err)
		err = -errno;
	if (!err)
		inherit_owner(name);
	if (!err && rename(name, path))
		err = -errno;
	if (err)
		unlink(name);
	return err;
}

int config_path(char *out, size_t room)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	if (base && *base == '/')
		snprintf(out, room, "%s/pollscope/config.yml", base);
	else if (home && *home == '/')
		snprintf(out, room, "%s/.config/pollscope/config.yml", home);
	else
		return -ENOENT;
	return 0;
}

/* ---- asking ---- */

void config_default(struct config *config)
{
	*config = (struct config){ .refresh_ns = 250000000 };
}

int config_is_muted(const struct config *config, const char *id)
{
	for (int i = 0; i < config->muted_count; i++)
		if (!strcmp(config->muted[i], id))
			return 1;
	return 0;
}

void config_mute(struct config *config, const char *id)
{
	for (int i = 0; i < config->muted_count; i++) {
		if (strcmp(config->muted[i], id))
			continue;
		memmove(config->muted[i], config->muted[i + 1],
			(size_t)(--config->muted_count - i) * sizeof(config->muted[0]));
		return;
	}
	if (config->muted_count < CONFIG_MUTED)
		snprintf(config->muted[config->muted_count++], sizeof(config->muted[0]), "%s", id);
}

const struct config_table *config_table(const struct config *config, const char *name)
{
	for (int i = 0; i < config->table_count; i++)
		if (!strcmp(config->tables[i].name, name))
			return &config->tables[i];
	return NULL;
}
