/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: what is read, what is wrong with which line and column, what is written, what the dashboard makes of it. */
#define NCURSES_NOMACROS
#include <curses.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "stage.h"

static char folder[] = "/tmp/pollscope-test-XXXXXX";

static const char *a_file(const char *text)
{
	static char path[64];
	if (!strchr(folder + 5, '-') || access(folder, F_OK))
		assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/config.yml", folder);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
	return path;
}

static void remove_all(void)
{
	char path[64];
	snprintf(path, sizeof(path), "%s/config.yml", folder);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
}

static struct config read_text(const char *text)
{
	struct config config;
	config_default(&config);
	config_read(&config, a_file(text));
	return config;
}

TEST(what_the_user_chose_is_read)
{
	struct config config = read_text("theme: light\nrefresh: 500ms\nmuted: [PS007, PS009]\n"
					 "tables:\n  stalls: { columns: [age, dur, culprit], sort: dur, reverse: true }\n  fds:\n    sort: ev\n");
	assert_string_equal(config.fault, "");
	assert_int_equal(config.theme, THEME_LIGHT);
	assert_int_equal(config.refresh_ns, 500 * MS);
	assert_true(config_is_muted(&config, "PS007") && config_is_muted(&config, "PS009") && !config_is_muted(&config, "PS001"));
	assert_int_equal(config.table_count, 2);
	const struct config_table *table = config_table(&config, "stalls");
	assert_int_equal(table->count, 3);
	assert_string_equal(table->columns[2], "culprit");
	assert_int_equal(table->reverse, 1);
	assert_string_equal(config_table(&config, "fds")->sort, "ev");
	assert_null(config_table(&config, "pool"));
	remove_all();
}

TEST(what_is_wrong_is_told_with_line_and_column_and_the_rest_counts)
{
	static const struct { const char *text, *fault; } rows[] = {
		{ "theme: pink\nrefresh: 1s\n", ":1:8: theme must be dark, light, mono or colour-blind" },
		{ "refresh: 1s\ntheem: dark\n", ":2:1: unknown key theem; did you mean theme?" },
		{ "refresh: 1s\nmuted: PS001\n", ":2:8: muted must be a list of findings" },
		{ "refresh: 1s\ntables:\n  stalls: { sort: [a] }\n", ":3:19: sort must be a short word" },
		{ "refresh: 1s\ntables: [1]\n", ":2:9: tables must be a mapping of names" },
		{ "refresh: 1s\nmuted: [\"\\x1b[2J\"]\n", ":2:9: a muted finding must be a short word" },
		{ "refresh: 1s\n- x: [\n", ":2:1: not YAML: " },
		{ "[1, 2]\n", ":1:1: this must be a mapping of theme, refresh, muted and tables" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config config = read_text(rows[i].text);
		if (!strstr(config.fault, rows[i].fault))
			fail_msg("\"%s\" is told as \"%s\"", rows[i].text, config.fault);
		assert_int_equal(config.theme, THEME_DARK);
	}
	assert_int_equal(read_text("refresh: 20ms\n").refresh_ns, 250 * MS); /* out of bounds: the default */
	assert_int_equal(read_text("refresh: 1s\ntheme: pink\n").refresh_ns, 1000 * MS);
	remove_all();
}

TEST(a_file_that_is_not_there_is_no_fault_and_odd_ones_do_no_harm)
{
	struct config config;
	config_default(&config);
	config_read(&config, "/nowhere/at/all");
	assert_string_equal(config.fault, "");
	config_read(&config, "/dev/zero");
	assert_non_null(strstr(config.fault, "this is no configuration file"));
	assert_string_equal(read_text("").fault, "");
	assert_string_equal(read_text("# nothing\n").fault, "");
	remove_all();
}

TEST(what_is_written_reads_the_same)
{
	char path[96];
	struct config before = read_text("theme: mono\nrefresh: 2s\nmuted: [PS003]\ntables:\n  fds: { columns: [fd, ev], sort: fd, reverse: true }\n"),
		      after;
	remove_all();
	assert_non_null(mkdtemp(strcpy(folder, "/tmp/pollscope-test-XXXXXX")));
	snprintf(path, sizeof(path), "%s/new/folder/config.yml", folder);
	assert_int_equal(config_write(&before, path), 0);
	config_default(&after);
	config_read(&after, path);
	assert_memory_equal(&before, &after, sizeof(before));
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	unlink(path);
	snprintf(path, sizeof(path), "%s/new/folder", folder);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/new", folder);
	rmdir(path);
	assert_int_equal(rmdir(folder), 0);
}

TEST(the_path_is_where_the_user_keeps_such_files)
{
	char path[256];
	setenv("XDG_CONFIG_HOME", "/x", 1);
	assert_int_equal(config_path(path, sizeof(path)), 0);
	assert_string_equal(path, "/x/pollscope/config.yml");
	setenv("XDG_CONFIG_HOME", "relative", 1);
	setenv("HOME", "/home/u", 1);
	assert_int_equal(config_path(path, sizeof(path)), 0);
	assert_string_equal(path, "/home/u/.config/pollscope/config.yml");
	unsetenv("HOME");
	assert_int_equal(config_path(path, sizeof(path)), -ENOENT);
}

/* ---- what the dashboard makes of it ---- */

static struct stage configured(const char *path, const char *filter)
{
	struct stage stage = stage_open(scene_full(), 120, 36, 1);
	struct tui_options options = { .ascii = 1, .stall_ns = 50 * MS, .config = path, .filter = filter };
	tui_close(stage.tui);
	assert_int_equal(tui_open(&stage.tui, &options), 0);
	stage_draw(&stage);
	return stage;
}

TEST(columns_order_and_muting_outlive_the_dashboard)
{
	const char *path = a_file("");
	struct stage stage = configured(path, NULL);
	stage_keys(&stage, "2c");
	assert_seen(&stage, "> [x] age");
	stage_keys(&stage, "j>"); /* dur behind loop */
	stage_key(&stage, ' ');
	assert_seen(&stage, "> [ ] dur");
	stage_keys(&stage, "qM");
	assert_seen(&stage, "PS001 is muted");
	assert_unseen(&stage, "DUR");
	stage_close(&stage);
	stage = configured(path, NULL);
	assert_unseen(&stage, "CRIT  thread 101");
	stage_key(&stage, '2');
	assert_unseen(&stage, "DUR");
	stage_key(&stage, '8');
	assert_seen(&stage, "muted");
	stage_key(&stage, KEY_END);
	stage_keys(&stage, "M");
	stage_close(&stage);
	remove_all();
}

TEST(a_faulty_file_is_told_and_never_written_over)
{
	struct config config;
	const char *path = a_file("theme: pink\n");
	struct stage stage = configured(path, NULL);
	assert_seen(&stage, "config.yml:1:8: theme must be dark");
	assert_seen(&stage, "the default is used");
	stage_keys(&stage, "2R");
	stage_close(&stage);
	config_default(&config);
	config_read(&config, path);
	assert_non_null(strstr(config.fault, ":1:8:"));
	remove_all();
}

TEST(a_filter_of_the_command_line_is_for_the_tables_that_have_its_columns)
{
	struct stage stage = configured(NULL, "kind:tcp fd:>=20");
	stage_key(&stage, '6');
	assert_seen(&stage, "filter \"kind:tcp fd:>=20\"");
	assert_seen(&stage, "2 of 4 match");
	stage_key(&stage, '2');
	assert_unseen(&stage, "filter \"");
	stage_close(&stage);
}
