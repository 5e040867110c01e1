/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys: what each does, and that the table, the help and the documentation agree. */
#define NCURSES_NOMACROS
#include <curses.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys.h"
#include "stage.h"

static struct stage a_stage(void)
{
	return stage_open(scene_full(), 120, 36, 1);
}

/* ---- the table ---- */

TEST(every_key_of_the_table_is_in_the_help_with_its_note)
{
	struct stage stage = stage_open(scene_full(), 200, 100, 1);
	stage_key(&stage, '?');
	for (const struct key *key = keys; key->name; key++) {
		assert_seen(&stage, key->name);
		assert_seen(&stage, key->note);
	}
	stage_close(&stage);
}

TEST(every_key_of_the_table_is_in_the_printed_documentation)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	assert_int_equal(tui_print_keys(out, 0), 0);
	fclose(out);
	for (const struct key *key = keys; key->name; key++) {
		assert_non_null(strstr(text, key->name));
		assert_non_null(strstr(text, key->note));
	}
	free(text);
	out = open_memstream(&text, &bytes);
	assert_int_equal(tui_print_keys(out, 1), 0);
	fclose(out);
	assert_non_null(strstr(text, "Space p"));
	free(text);
}

TEST(the_documentation_has_the_table_and_the_screens)
{
	static char text[65536];
	FILE *in = fopen("docs/dashboard.md", "r");
	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	size_t rows = 0, documented = 0;
	for (const struct key *key = keys; key->name; key++, rows++) {
		char row[256];
		snprintf(row, sizeof(row), "\n| `%s` | %s |", key->name, key->note);
		if (!strstr(text, row))
			fail_msg("docs/dashboard.md lacks the row%s", row);
	}
	const char *end = strstr(text, "Ctrl-C quits");
	for (const char *at = strstr(text, "## Keys"); (at = strstr(at, "\n| `")) && at < end; at++)
		documented++;
	assert_int_equal(documented, rows);
	for (int i = 0; screens[i]; i++) {
		char row[64];
		snprintf(row, sizeof(row), "\n| %d %s | ", screens[i]->digit, screens[i]->name);
		assert_non_null(strstr(text, row));
	}
}

TEST(no_code_is_in_the_table_twice)
{
	for (const struct key *a = keys; a->name; a++)
		for (const struct key *b = a + 1; b->name; b++)
			for (int i = 0; i < KEY_CODES; i++)
				for (int k = 0; k < KEY_CODES; k++)
					assert_true(!a->codes[i] || a->codes[i] < 0 || a->codes[i] != b->codes[k]);
}

/* a state in which each key has something to do: second stall of the list, a step away from the first screen */
static struct stage a_busy_stage(void)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2jj");
	stage.tui->message[0] = '\0';
	return stage;
}

static void assert_does_something(const struct key *key, int code)
{
	struct stage stage = a_busy_stage();
	struct tui before = *stage.tui;
	int quit = tui_key(stage.tui, stage.model, &stage.status, code);
	if (code != CTRL('l') && !quit && !memcmp(&before, stage.tui, sizeof(before)))
		fail_msg("key \"%s\", code %d, changed nothing", key->name, code);
	const char *saved = strstr(stage.tui->message, "saved to ");
	if (saved)
		unlink(saved + strlen("saved to "));
	stage_close(&stage);
}

TEST(every_key_of_the_table_does_something)
{
	for (const struct key *key = keys; key->name; key++) {
		if (key->codes[2] == KEY_RANGE) {
			for (int code = key->codes[0]; code <= key->codes[1]; code++)
				if (code != '2' && code != '0') /* is there already; needs no target */
					assert_does_something(key, code);
			continue;
		}
		for (int i = 0; i < KEY_CODES; i++)
			if (key->codes[i])
				assert_does_something(key, key->codes[i]);
	}
}

TEST(keys_that_mean_nothing_change_nothing)
{
	struct stage stage = a_stage();
	struct tui before = *stage.tui;
	static const int codes[] = { 'y', 'Y', 1, 2, 255, KEY_F(5), KEY_RESIZE, TUI_RUNE | 0x4e2d, INT32_MAX, -7 };
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		assert_int_equal(tui_key(stage.tui, stage.model, &stage.status, codes[i]), 0);
		assert_memory_equal(&before, stage.tui, sizeof(before));
	}
	stage_close(&stage);
}

/* ---- screens ---- */

TEST(digits_and_tab_change_screens_and_escape_goes_back)
{
	struct stage stage = a_stage();
	stage_key(&stage, '2');
	assert_seen(&stage, "2*Stalls");
	stage_key(&stage, '1');
	assert_seen(&stage, "1*Overview");
	stage_key(&stage, '\t');
	assert_seen(&stage, "2*Stalls");
	stage_key(&stage, KEY_BTAB);
	assert_seen(&stage, "1*Overview");
	stage_key(&stage, 27);
	assert_seen(&stage, "2*Stalls");
	stage_close(&stage);
}

TEST(escape_never_quits)
{
	struct stage stage = a_stage();
	for (int i = 0; i < 30; i++)
		assert_int_equal(stage_key(&stage, i % 2 ? 27 : KEY_BACKSPACE), 0);
	assert_seen(&stage, "q quits");
	stage_close(&stage);
}

TEST(q_closes_the_help_first_and_quits_then)
{
	struct stage stage = a_stage();
	stage_key(&stage, KEY_F(1));
	assert_seen(&stage, "HELP");
	assert_int_equal(stage_key(&stage, 'q'), 0);
	assert_unseen(&stage, "HELP");
	assert_int_equal(stage_key(&stage, KEY_F(10)), 1);
	stage_close(&stage);
}

TEST(control_c_quits_from_everywhere)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2/abc");
	assert_int_equal(stage_key(&stage, CTRL('c')), 1);
	stage_close(&stage);
}

TEST(the_help_scrolls_and_stops_at_its_end)
{
	struct stage stage = stage_open(scene_full(), 80, 24, 1);
	stage_key(&stage, 'h');
	assert_unseen(&stage, "does not apply here");
	stage_key(&stage, 'G');
	assert_seen(&stage, "does not apply here");
	stage_key(&stage, KEY_UP);
	assert_unseen(&stage, "does not apply here");
	stage_key(&stage, 'g');
	assert_seen(&stage, "pause the picture");
	stage_key(&stage, KEY_NPAGE);
	assert_unseen(&stage, "pause the picture");
	stage_close(&stage);
}

TEST(the_glossary_explains_every_column)
{
	struct stage stage = stage_open(scene_full(), 200, 60, 1);
	for (int i = 0; screens[i]; i++) {
		static const struct tui_target none[1];
		stage.status.targets = screens[i]->digit ? NULL : none;
		stage_key(&stage, '0' + screens[i]->digit);
		stage_key(&stage, 'i');
		for (const struct column *column = screens[i]->sheet ? screens[i]->sheet->columns : NULL;
		     column && column->name; column++) {
			assert_seen(&stage, column->name);
			assert_seen(&stage, column->note);
		}
		stage_key(&stage, 'i');
	}
	stage_close(&stage);
}

/* ---- drilling ---- */

TEST(enter_opens_the_stall_of_the_verdict_and_escape_returns)
{
	struct stage stage = a_stage();
	stage_key(&stage, '\n');
	assert_seen(&stage, "2*Stalls");
	assert_seen(&stage, "PBKDF2 (node)");
	assert_seen(&stage, "hashPw auth.js:41");
	stage_key(&stage, 27);
	assert_seen(&stage, "1*Overview");
	stage_close(&stage);
}

TEST(enter_opens_the_stall_that_was_chosen)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "jj");
	assert_selected(&stage, "fsync(41)");
	stage_key(&stage, KEY_ENTER);
	assert_seen(&stage, "fsync(41, 0, 0)");
	assert_seen(&stage, "/var/log/app.log");
	assert_seen(&stage, "sync-io");
	stage_close(&stage);
}

TEST(the_evidence_names_who_ran_instead)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2jjj\n");
	assert_seen(&stage, "ran instead: ffmpeg");
	stage_close(&stage);
}

TEST(n_goes_to_the_later_stall_and_N_to_the_earlier)
{
	struct stage stage = a_stage();
	stage_key(&stage, 'n');
	assert_seen(&stage, "no later stall");
	stage_key(&stage, 'N');
	assert_selected(&stage, "JSON.parse");
	stage_keys(&stage, "NN");
	assert_selected(&stage, "ran ffmpeg");
	stage_key(&stage, 'n');
	assert_selected(&stage, "fsync(41)");
	stage_keys(&stage, "NNNN");
	assert_seen(&stage, "no earlier stall");
	stage_close(&stage);
}

TEST(n_walks_through_the_evidence_too)
{
	struct stage stage = a_stage();
	stage_key(&stage, '\n');
	stage_key(&stage, 'N');
	assert_seen(&stage, "EVIDENCE of stall 4");
	assert_seen(&stage, "sync jobs.js:118");
	stage_close(&stage);
}

/* ---- moving ---- */

TEST(arrows_and_letters_move_the_selection_and_stop_at_the_ends)
{
	struct stage stage = a_stage();
	assert_selected(&stage, "412ms");
	stage_key(&stage, KEY_DOWN);
	assert_selected(&stage, "131ms");
	stage_key(&stage, 'j');
	assert_selected(&stage, "96ms");
	stage_key(&stage, 'k');
	assert_selected(&stage, "131ms");
	stage_key(&stage, KEY_END);
	assert_selected(&stage, "51ms");
	stage_key(&stage, 'j');
	assert_selected(&stage, "51ms");
	stage_key(&stage, KEY_HOME);
	stage_key(&stage, KEY_UP);
	assert_selected(&stage, "412ms");
	stage_close(&stage);
}

TEST(pages_move_by_what_is_shown)
{
	struct stage stage = stage_open(scene_full(), 40, 8, 1);
	stage_key(&stage, KEY_NPAGE);
	assert_selected(&stage, "96ms");
	stage_key(&stage, KEY_NPAGE);
	assert_selected(&stage, "51ms");
	stage_key(&stage, KEY_PPAGE);
	assert_selected(&stage, "96ms");
	stage_close(&stage);
}

static void one_more_stall(struct stage *stage)
{
	returns(stage->model, SCENE_END, TID, FD, SCENE_END - 5, 1);
	enter(stage->model, SCENE_END + 77, TID, FD, SCENE_END, -1);
	scene_clock(stage->model, SCENE_END + 80);
	stage_draw(stage);
}

TEST(the_first_row_stays_selected_until_it_is_moved)
{
	struct stage stage = a_stage();
	one_more_stall(&stage);
	assert_selected(&stage, "77ms");
	stage_close(&stage);
}

TEST(a_selection_follows_its_row_not_its_place)
{
	struct stage stage = a_stage();
	stage_key(&stage, 'j');
	one_more_stall(&stage);
	assert_selected(&stage, "131ms");
	stage_resize(&stage, 80, 24);
	assert_selected(&stage, "131ms");
	stage_key(&stage, '>');
	assert_selected(&stage, "131ms");
	stage_close(&stage);
}

/* ---- sorting ---- */

TEST(sorting_marks_the_column_and_reverse_turns_it)
{
	struct stage stage = a_stage();
	assert_seen(&stage, "AGE^");
	stage_key(&stage, '>');
	assert_seen(&stage, "DURv");
	assert_seen(&stage, "by dur");
	stage_key(&stage, 'R');
	assert_seen(&stage, "DUR^");
	assert_selected(&stage, "51ms");
	stage_key(&stage, '<');
	assert_seen(&stage, "AGE^");
	stage_key(&stage, '<');
	assert_seen(&stage, "CULPRIT^");
	stage_close(&stage);
}

TEST(unknown_values_sort_last_both_ways)
{
	struct stage stage = stage_open(scene_bare(), 120, 36, 1);
	stage_keys(&stage, "2>>>");
	assert_seen(&stage, "CPUv");
	stage_key(&stage, KEY_END);
	assert_selected(&stage, "51ms"); /* its CPU share is not measured */
	stage_keys(&stage, "R");
	stage_key(&stage, KEY_END);
	assert_selected(&stage, "51ms");
	stage_close(&stage);
}

static void one_more_stall_of(struct stage *stage)
{
	one_more_stall(stage);
}

/* ---- filters ---- */

TEST(a_filter_works_while_it_is_typed_and_sticks)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2/json");
	assert_seen(&stage, "/json_");
	assert_seen(&stage, "JSON.parse");
	assert_unseen(&stage, "ran ffmpeg");
	stage_key(&stage, '\n');
	assert_seen(&stage, "filter \"json\"");
	assert_seen(&stage, "1 of 5 match");
	stage_key(&stage, 27);
	assert_seen(&stage, "ran ffmpeg");
	stage_close(&stage);
}

TEST(escape_while_typing_brings_the_old_filter_back)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2/json\n/ffm");
	assert_seen(&stage, "1 of 5 match");
	stage_key(&stage, 27);
	assert_seen(&stage, "filter \"json\"");
	assert_seen(&stage, "JSON.parse");
	stage_close(&stage);
}

TEST(a_filter_may_be_edited)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2/jsox");
	assert_seen(&stage, "none of 5 matches the filter \"jsox\"");
	stage_key(&stage, KEY_BACKSPACE);
	stage_key(&stage, 'n');
	assert_seen(&stage, "JSON.parse");
	stage_key(&stage, TUI_RUNE | 0x4e2d);
	stage_key(&stage, 0xe9);
	assert_string_equal(stage.tui->sheets[1].filter.text, "json\xe4\xb8\xad\xc3\xa9");
	stage_key(&stage, 127);
	stage_key(&stage, 8);
	assert_string_equal(stage.tui->sheets[1].filter.text, "json");
	stage_key(&stage, CTRL('u'));
	assert_string_equal(stage.tui->sheets[1].filter.text, "");
	stage_close(&stage);
}

TEST(a_filter_longer_than_its_room_is_cut_at_a_character)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2/");
	for (int i = 0; i < 200; i++)
		stage_key(&stage, TUI_RUNE | 0x4e2d);
	assert_int_equal(strlen(stage.tui->sheets[1].filter.text) % 3, 0);
	assert_true(strlen(stage.tui->sheets[1].filter.text) < FILTER_TEXT);
	stage_close(&stage);
}

static void assert_filter(const char *filter, int rows)
{
	struct stage stage = a_stage();
	stage_key(&stage, '2');
	stage_key(&stage, '/');
	stage_keys(&stage, filter);
	stage_key(&stage, '\n');
	if ((int)stage.tui->sheets[1].shown != rows)
		fail_msg("\"%s\" shows %zu rows, not %d:\n%s", filter, stage.tui->sheets[1].shown, rows, stage.text);
	stage_close(&stage);
}

TEST(filters_know_words_inverses_columns_and_comparisons)
{
	assert_filter("", 5);
	assert_filter("!json", 4);
	assert_filter("json|fsync", 2);
	assert_filter("phase:poll", 3);
	assert_filter("!phase:poll", 2);
	assert_filter("dur:>:100ms", 2);
	assert_filter("dur:<=:88ms", 2);
	assert_filter("!dur:>:100ms", 3);
	assert_filter("cpu:>=:95", 3);
	assert_filter("cpu:<:50%", 2);
	assert_filter("cause:=:cpu", 0); /* a text has no numbers: matched as it stands */
	assert_filter("cause:^cpu$", 3);
	assert_filter("auth.js:41", 1);
	assert_filter("(", 2); /* no expression: as it stands */
	assert_filter("[", 0);
	assert_filter("dur:>:", 0);
	/* terms: all of them must hold */
	assert_filter("phase:poll dur:>100ms", 1);
	assert_filter("dur:>60ms dur:<100ms", 2);
	assert_filter("duration:>60ms !fsync", 3);
	assert_filter("/waiting for a cpu/", 1);
	assert_filter("!/waiting for a cpu/ phase:poll", 2);
	assert_filter("culprit:/<- sync/", 2);
	assert_filter("  ", 5);
	assert_filter("!", 5);
	assert_filter("/", 1);
}

/* ---- all there is, by name ---- */

TEST(the_palette_finds_screens_keys_and_themes)
{
	struct stage stage = a_stage();
	stage_keys(&stage, ":diag");
	assert_seen(&stage, ":diag_");
	assert_seen(&stage, "> 8 Diagnosis");
	assert_unseen(&stage, "theme light");
	stage_key(&stage, '\n');
	assert_seen(&stage, "8*Diagnosis");
	stage_keys(&stage, ":theme");
	stage_key(&stage, KEY_DOWN);
	stage_key(&stage, '\n');
	assert_int_equal(tui_theme(stage.tui), THEME_MONO); /* the stage has no colours at all */
	assert_int_equal(stage.tui->config.theme, THEME_LIGHT);
	stage_keys(&stage, ":freeze nothing");
	assert_seen(&stage, "nothing is called \"freeze nothing\"");
	stage_key(&stage, 27);
	assert_seen(&stage, "8*Diagnosis");
	stage_keys(&stage, ":pause the pic\n");
	assert_seen(&stage, "PAUSED");
	stage_close(&stage);
}

/* ---- groups ---- */

TEST(g_groups_stalls_by_culprit_and_enter_lists_those_of_one)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2g");
	assert_seen(&stage, "CULPRITS");
	assert_selected(&stage, "hashPw auth.js:41");
	stage_key(&stage, '\n');
	assert_seen(&stage, "1 of one culprit");
	assert_selected(&stage, "412ms");
	stage_keys(&stage, "gg");
	assert_seen(&stage, "5 kept");
	stage_close(&stage);
}

TEST(F_keeps_the_place_instead_of_the_row)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "jF");
	one_more_stall_of(&stage);
	assert_selected(&stage, "412ms");
	stage_close(&stage);
}

/* ---- time ---- */

TEST(stepping_back_freezes_and_the_timeline_tells_what_was)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "7");
	assert_seen(&stage, "a cell is 1.0s");
	stage_keys(&stage, "[");
	assert_seen(&stage, "PAUSED");
	assert_seen(&stage, "1.0s back");
	stage_keys(&stage, "T-3s\n");
	assert_seen(&stage, "4.0s back");
	assert_seen(&stage, "! stall 5, 412ms, cpu: PBKDF2 <- hashPw auth.js:41");
	stage_key(&stage, '\n');
	assert_seen(&stage, "EVIDENCE of stall 5");
	stage_key(&stage, 27);
	stage_keys(&stage, "zzz");
	assert_seen(&stage, "a cell of the timeline is 100ms");
	stage_keys(&stage, "L");
	assert_unseen(&stage, "PAUSED");
	stage_keys(&stage, "Tsoon\n");
	assert_seen(&stage, "\"soon\" is no time");
	stage_close(&stage);
}

static uint64_t sought_ns;
static int seek_to(void *arg, uint64_t ns)
{
	sought_ns = ns;
	return 0;
}

TEST(in_a_recording_time_is_sought_and_a_bar_shows_where)
{
	static const uint64_t stalls[] = { 20000 * MS };
	static const struct tui_bar bar = { 10000 * MS, 30000 * MS, 70000 * MS, stalls, 1 };
	struct stage stage = a_stage();
	stage.status.bar = &bar;
	stage.status.seek = seek_to;
	stage_keys(&stage, "]");
	assert_int_equal(sought_ns, 31000 * MS);
	stage_keys(&stage, "{");
	assert_int_equal(sought_ns, 20000 * MS);
	stage_keys(&stage, "T5s\n");
	assert_int_equal(sought_ns, 15000 * MS);
	stage_keys(&stage, "L");
	assert_int_equal(sought_ns, 70000 * MS);
	stage_keys(&stage, "T-100s\n");
	assert_int_equal(sought_ns, 10000 * MS);
	assert_seen(&stage, "] 20s of ");
	assert_seen(&stage, "[================!===");
	stage_close(&stage);
}

/* ---- the picture ---- */

TEST(a_pause_freezes_the_picture_while_collection_goes_on)
{
	struct stage stage = a_stage();
	stage_key(&stage, ' ');
	assert_seen(&stage, "PAUSED");
	one_more_stall(&stage);
	assert_unseen(&stage, "77ms");
	scene_clock(stage.model, SCENE_END + 12400);
	stage_draw(&stage);
	assert_seen(&stage, "PAUSED -12s");
	stage_key(&stage, 'j');
	assert_selected(&stage, "131ms");
	stage_key(&stage, 'p');
	assert_unseen(&stage, "PAUSED");
	assert_seen(&stage, "77ms");
	assert_selected(&stage, "131ms");
	stage_close(&stage);
}

TEST(a_paused_picture_outlives_what_it_shows)
{
	struct stage stage = a_stage();
	stage_keys(&stage, "2j ");
	for (int i = 0; i < 6000; i++) {
		double ms = SCENE_END + i * 200;
		returns(stage.model, ms, TID, FD, ms - 5, 1);
		enter(stage.model, ms + 60, TID, FD, ms, -1);
	}
	stage_draw(&stage);
	assert_selected(&stage, "131ms");
	stage_key(&stage, '\n');
	assert_seen(&stage, "sync jobs.js:118");
	stage_key(&stage, ' ');
	stage_close(&stage);
}

TEST(a_mark_counts_figures_since_then)
{
	struct stage stage = a_stage();
	assert_seen(&stage, "max 88ms");
	stage_key(&stage, 'r');
	assert_seen(&stage, "figures count since now");
	assert_unseen(&stage, "max 88ms");
	scene_later(stage.model);
	stage_draw(&stage);
	assert_seen(&stage, "since -1.0s");
	assert_seen(&stage, "lag ready->callback   p50 0.4ms  p95 0.4ms");
	assert_unseen(&stage, "max 88ms");
	stage_key(&stage, 'r');
	assert_seen(&stage, "max 88ms");
	stage_close(&stage);
}

TEST(l_goes_through_the_loops)
{
	struct stage stage = a_stage();
	stage_key(&stage, 'l');
	assert_seen(&stage, "only one loop here");
	loop_is(stage.model, SCENE_END, TID + 50, 9, 0);
	enter(stage.model, SCENE_END, TID + 50, 9, 0, -1);
	scene_clock(stage.model, SCENE_END + 10);
	stage_draw(&stage);
	assert_seen(&stage, "loop 1/2");
	stage_key(&stage, 'l');
	assert_seen(&stage, "loop 2/2");
	stage_key(&stage, 'l');
	assert_seen(&stage, "loop 1/2");
	stage_close(&stage);
}

TEST(a_snapshot_is_a_new_private_file_with_the_screen)
{
	char folder[] = "/tmp/pollscope-test-XXXXXX", first[128], text[8192];
	struct stat status;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	struct stage stage = a_stage();
	stage_key(&stage, CTRL('s'));
	assert_seen(&stage, "saved to pollscope-100-180631.txt");
	snprintf(first, sizeof(first), "%s", "pollscope-100-180631.txt");
	assert_int_equal(lstat(first, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	FILE *in = fopen(first, "r");
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	assert_non_null(strstr(text, "1*Overview"));
	assert_non_null(strstr(text, "hashPw auth.js:41"));
	/* a name that is taken, even by a link that leads nowhere, is left alone */
	assert_int_equal(symlink("/nowhere", "pollscope-100-180631-2.txt"), 0);
	stage_key(&stage, CTRL('s'));
	assert_seen(&stage, "saved to pollscope-100-180631-3.txt");
	stage_close(&stage);
	unlink(first);
	unlink("pollscope-100-180631-2.txt");
	unlink("pollscope-100-180631-3.txt");
	assert_int_equal(rmdir(folder), 0);
}

TEST(a_snapshot_that_cannot_be_written_says_why)
{
	struct stage stage = a_stage();
	assert_int_equal(chdir("/proc/self"), 0);
	stage_key(&stage, CTRL('s'));
	assert_seen(&stage, "cannot save pollscope-100-180631.txt: ");
	stage_close(&stage);
}

/* As on a full disk, the file is made and nothing can be written into it. */
TEST(a_snapshot_that_can_only_be_begun_is_taken_away)
{
	char folder[] = "/tmp/pollscope-test-XXXXXX";
	const struct rlimit none = { 0, 0 };
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	struct stage stage = a_stage();
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	stage_key(&stage, CTRL('s'));
	assert_seen(&stage, "cannot save pollscope-100-180631.txt: File too large");
	stage_close(&stage);
	assert_int_equal(rmdir(folder), 0);
}

/* ---- keys of the host ---- */

static int pressed;
static void press_host(void *arg)
{
	pressed += *(int *)arg;
}

TEST(keys_of_the_host_are_shown_and_pressed)
{
	static const struct tui_host_key host[] = {
		{ 's', "scenario", "the next scenario of the demo", press_host }, { KEY_F(5), "step", "a step", press_host },
		{ 'q', "never", "the dashboard's own key wins", press_host },
		{ ' ', "play", "goes before the dashboard's own", press_host, .first = 1 }, { 0 },
	};
	struct stage stage = a_stage();
	int amount = 1;
	stage.status.keys = host;
	stage.status.arg = &amount;
	stage_key(&stage, 's');
	stage_key(&stage, KEY_F(5));
	assert_int_equal(pressed, 2);
	stage_key(&stage, ' ');
	assert_int_equal(pressed, 3);
	assert_unseen(&stage, "PAUSED");
	assert_seen(&stage, "s scenario");
	assert_seen(&stage, "Space play");
	assert_unseen(&stage, "Space pause");
	stage_key(&stage, '?');
	stage_resize(&stage, 120, 90);
	assert_seen(&stage, "the next scenario of the demo");
	assert_seen(&stage, "F5 step");
	stage_key(&stage, 'q');
	assert_int_equal(stage_key(&stage, 'q'), 1);
	assert_int_equal(pressed, 3);
	stage_close(&stage);
}
