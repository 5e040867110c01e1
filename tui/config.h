/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user chose for good, in a YAML file:
 *
 *   theme: light
 *   refresh: 250ms
 *   muted: [PS007]
 *   tables:
 *     stalls: { columns: [age, dur, culprit], sort: dur, reverse: false }
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>
#include <stdint.h>

#define CONFIG_MUTED 32
#define CONFIG_TABLES 16
#define CONFIG_NAMES 24

struct config_table {
	char name[24];
	char columns[CONFIG_NAMES][16]; /* in order; the others are hidden */
	int count; /* 0 = all, in their own order */
	char sort[16]; /* "" = as the table wants */
	int reverse;
};

struct config {
	int theme;
	uint64_t refresh_ns;
	char muted[CONFIG_MUTED][8];
	int muted_count;
	struct config_table tables[CONFIG_TABLES];
	int table_count;
	char fault[256]; /* "file:3:8: what is wrong"; "" = nothing */
};

void config_default(struct config *config);
/*
 * Reads a file over the defaults. What is wrong is told in `fault` with line and
 * column and left out; the rest counts. A file that is not there is no fault.
 */
void config_read(struct config *config, const char *path);
/* Writes it anew, whole or not at all; makes the folder. 0 or -errno. */
int config_write(const struct config *config, const char *path);
/* $XDG_CONFIG_HOME/pollscope/config.yml, or below ~/.config. 0, or -ENOENT: there is no home. */
int config_path(char *out, size_t room);

int config_is_muted(const struct config *config, const char *id);
void config_mute(struct config *config, const char *id); /* or no longer */
const struct config_table *config_table(const struct config *config, const char *name); /* NULL = none */

#endif
