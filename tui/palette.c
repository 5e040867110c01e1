/* SPDX-License-Identifier: BSD-2-Clause */
/* The palette: screens, keys, the host's keys and themes as one list, found by parts of their names and notes. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "keys.h"

struct search {
	const char *text;
	int picking, at, count;
	struct palette_entry *out;
};

/* each typed word must be in the name or the note */
static int is_meant(const char *text, const struct palette_entry *entry)
{
	char word[FILTER_TEXT];
	int used;
	for (; sscanf(text, "%63s%n", word, &used) == 1; text += used)
		if (!strcasestr(entry->name, word) && !strcasestr(entry->note, word))
			return 0;
	return 1;
}

static void offer(struct search *search, const struct palette_entry *entry)
{
	if (!is_meant(search->text, entry))
		return;
	if (search->count++ == search->at)
		*search->out = *entry;
}

static void offer_screens(struct search *search)
{
	for (int i = 0; screens[i]; i++) {
		struct palette_entry entry = { .screen = i };
		if ((screens[i] == &screen_picker) != search->picking)
			continue;
		snprintf(entry.name, sizeof(entry.name), "%d %s", screens[i]->digit, screens[i]->name);
		snprintf(entry.note, sizeof(entry.note), "%s", screens[i]->note);
		offer(search, &entry);
	}
}

static void offer_keys(struct search *search)
{
	for (const struct key *row = keys; row->name; row++) {
		struct palette_entry entry = { .screen = -1, .key = row->codes[0] };
		if (row->codes[2] == KEY_RANGE || row->codes[0] == ':')
			continue;
		snprintf(entry.name, sizeof(entry.name), "%s", row->name);
		snprintf(entry.note, sizeof(entry.note), "%s", row->note);
		offer(search, &entry);
	}
}

static void offer_host(struct search *search, const struct tui_host_key *host)
{
	for (; host && host->key; host++) {
		struct palette_entry entry = { .screen = -1, .key = host->key };
		char key[16];
		keys_print(host->key, key);
		snprintf(entry.name, sizeof(entry.name), "%s %s", key, host->name);
		snprintf(entry.note, sizeof(entry.note), "%s", host->note ? host->note : "");
		offer(search, &entry);
	}
}

static void offer_themes(struct search *search)
{
	for (int i = 0; i < THEME_COUNT; i++) {
		struct palette_entry entry = { .screen = -1, .theme = i };
		snprintf(entry.name, sizeof(entry.name), "theme %s", tui_theme_names[i]);
		snprintf(entry.note, sizeof(entry.note), "colours; it is kept");
		offer(search, &entry);
	}
}

int palette_find(const struct tui *tui, const struct tui_status *status, int at, struct palette_entry *out)
{
	struct search search = { tui->typed, tui->picking, at, 0, out };
	offer_screens(&search);
	offer_host(&search, status->keys);
	offer_themes(&search);
	offer_keys(&search);
	return search.count;
}
