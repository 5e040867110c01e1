/* SPDX-License-Identifier: BSD-2-Clause */
/* What was chosen for good: from the configuration to the tables at the start, and back with every change. */
#include <string.h>

#include "state.h"

static void configure_table(struct tui *tui, const struct sheet *sheet, struct sheet_state *state)
{
	const struct config_table *table = config_table(&tui->config, sheet->name);
	int place = 0;
	sheet_begin(sheet, state);
	if (tui->options.filter && filter_fits(sheet->columns, tui->options.filter))
		filter_set(&state->filter, sheet->columns, tui->options.filter);
	if (!table)
		return;
	uint32_t all = (1u << state->count) - 1;
	if (table->count)
		state->hidden = all;
	for (int k = 0; k < table->count; k++) {
		for (int at = place; at < state->count; at++) {
			if (strcmp(sheet->columns[state->order[at]].name, table->columns[k]))
				continue;
			int column = state->order[at];
			memmove(&state->order[place + 1], &state->order[place], (size_t)(at - place) * sizeof(int));
			state->order[place++] = column;
			state->hidden &= ~(1u << column);
		}
	}
	if (state->hidden == all)
		state->hidden = 0;
	for (int i = 0; i < state->count; i++) {
		const struct column *column = &sheet->columns[i];
		if (strcmp(column->name, table->sort) || state->hidden >> i & 1)
			continue;
		state->sort = i;
		state->ascending = (column->ascending || !column->key) != table->reverse;
	}
}

void tui_configure(struct tui *tui)
{
	for (int i = 0; screens[i]; i++)
		if (screens[i]->sheet)
			configure_table(tui, screens[i]->sheet, &tui->sheets[i]);
	configure_table(tui, &culprits_sheet, &tui->culprits);
}

static int is_plain(const struct sheet *sheet, const struct sheet_state *state)
{
	const struct column *column = &sheet->columns[sheet->sort];
	for (int k = 0; k < state->count; k++)
		if (state->order[k] != k)
			return 0;
	return !state->hidden && state->sort == sheet->sort && state->ascending == (column->ascending || !column->key);
}

static void remember_table(struct config *config, const struct sheet *sheet, const struct sheet_state *state)
{
	int at = 0;
	while (at < config->table_count && strcmp(config->tables[at].name, sheet->name))
		at++;
	if (at == CONFIG_TABLES || (at == config->table_count && is_plain(sheet, state)))
		return;
	config->table_count += at == config->table_count;
	struct config_table *table = &config->tables[at];
	*table = (struct config_table){ 0 };
	const struct column *sort = &sheet->columns[state->sort];
	snprintf(table->name, sizeof(table->name), "%s", sheet->name);
	snprintf(table->sort, sizeof(table->sort), "%s", sort->name);
	table->reverse = state->ascending != (sort->ascending || !sort->key);
	for (int k = 0; k < state->count && table->count < CONFIG_NAMES; k++)
		if (!(state->hidden >> state->order[k] & 1))
			snprintf(table->columns[table->count++], sizeof(table->columns[0]), "%s",
				 sheet->columns[state->order[k]].name);
}

/* A file that has a fault is its author's to mend: it is not written over. */
void tui_remember(struct tui *tui)
{
	const struct sheet *sheet = tui_sheet(tui);
	if (sheet)
		remember_table(&tui->config, sheet, tui_table(tui));
	if (!tui->options.config || *tui->config.fault)
		return;
	int err = config_write(&tui->config, tui->options.config);
	if (err)
		tui_say(tui, "cannot keep it in %s: %s", tui->options.config, strerror(-err));
}

uint64_t tui_interval_ns(const struct tui *tui)
{
	return tui->config.refresh_ns;
}

enum tui_theme tui_theme(const struct tui *tui)
{
	return tui->options.colour ? tui->config.theme : THEME_MONO;
}

const char *tui_config_fault(const struct tui *tui)
{
	return tui->config.fault;
}
