/* SPDX-License-Identifier: BSD-2-Clause */
/* The grid: what is put comes out as text, whatever the text and wherever it is put. */
#include <string.h>

#include "grid.h"
#include "rune.h"
#include "test.h"

static char *text_of(const struct grid *grid)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	assert_non_null(out);
	assert_int_equal(grid_write(grid, out), 0);
	fclose(out);
	return text;
}

static void assert_grid(const struct grid *grid, const char *wanted)
{
	char *text = text_of(grid);
	assert_string_equal(text, wanted);
	free(text);
}

static struct grid a_grid(int columns, int rows)
{
	struct grid grid;
	assert_int_equal(grid_open(&grid, columns, rows), 0);
	return grid;
}

TEST(text_put_on_a_grid_is_written_back_without_trailing_spaces)
{
	struct grid grid = a_grid(10, 3);
	assert_int_equal(grid_put(&grid, 1, 0, -1, STYLE_NORMAL, "abc"), 3);
	assert_int_equal(grid_print(&grid, 0, 2, -1, STYLE_BOLD, "%d%%", 42), 3);
	assert_grid(&grid, " abc\n\n42%\n");
	assert_int_equal(grid.cells[20].style, STYLE_BOLD);
	grid_close(&grid);
}

TEST(text_outside_the_grid_is_clipped)
{
	struct grid grid = a_grid(4, 2);
	grid_put(&grid, 2, 0, -1, STYLE_NORMAL, "abcdef");
	grid_put(&grid, -2, 1, 6, STYLE_NORMAL, "uvwxyz");
	grid_put(&grid, 0, -1, -1, STYLE_NORMAL, "no");
	grid_put(&grid, 0, 2, -1, STYLE_NORMAL, "no");
	grid_put(&grid, 100, 0, -1, STYLE_NORMAL, "no");
	grid_fill(&grid, -3, 0, 4, '#', STYLE_NORMAL);
	grid_fill(&grid, 0, 7, 4, '#', STYLE_NORMAL);
	grid_restyle(&grid, -5, 0, 100, STYLE_WARN);
	assert_grid(&grid, "# ab\nwxyz\n");
	grid_close(&grid);
}

TEST(put_returns_the_columns_used_and_keeps_to_its_room)
{
	struct grid grid = a_grid(10, 1);
	assert_int_equal(grid_put(&grid, 0, 0, 3, STYLE_NORMAL, "abcdef"), 3);
	assert_int_equal(grid_put(&grid, 5, 0, 0, STYLE_NORMAL, "x"), 0);
	assert_grid(&grid, "abc\n");
	grid_close(&grid);
}

TEST(a_wide_character_takes_two_columns_and_is_never_halved)
{
	struct grid grid = a_grid(5, 1);
	assert_int_equal(grid_put(&grid, 0, 0, -1, STYLE_NORMAL, "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97"), 4);
	assert_grid(&grid, "\xe4\xb8\xad\xe6\x96\x87\n");
	assert_int_equal(grid.cells[0].width, 2);
	assert_int_equal(grid.cells[1].width, 0);
	/* overwriting one half takes the other with it */
	grid_put(&grid, 1, 0, -1, STYLE_NORMAL, "x");
	assert_grid(&grid, " x\xe6\x96\x87\n");
	grid_put(&grid, 2, 0, 1, STYLE_NORMAL, "y");
	assert_grid(&grid, " xy\n");
	grid_close(&grid);
}

TEST(control_characters_never_reach_a_cell)
{
	struct grid grid = a_grid(40, 1);
	grid_put(&grid, 0, 0, -1, STYLE_NORMAL, "a\x1b[2J\x07\x7f\xc2\x9b" "b\n");
	for (int i = 0; i < 40; i++) {
		uint32_t rune = grid.cells[i].rune;
		assert_true(rune >= ' ' && rune != 0x7f && !(rune >= 0x80 && rune < 0xa0));
	}
	grid_close(&grid);
}

TEST(invalid_utf8_becomes_replacement_characters)
{
	struct grid grid = a_grid(20, 1);
	grid_put(&grid, 0, 0, -1, STYLE_NORMAL, "a\xff\xc0\x80\xe4\xb8z");
	assert_int_equal(grid.cells[0].rune, 'a');
	assert_int_equal(grid.cells[1].rune, RUNE_REPLACEMENT);
	char *text = text_of(&grid);
	assert_non_null(strchr(text, 'z'));
	free(text);
	grid_close(&grid);
}

TEST(combining_marks_take_no_cell)
{
	struct grid grid = a_grid(20, 1);
	assert_int_equal(grid_put(&grid, 0, 0, -1, STYLE_NORMAL, "e\xcc\x81x"), 2);
	assert_grid(&grid, "ex\n");
	grid_close(&grid);
}

TEST(a_grid_made_ascii_has_only_ascii)
{
	struct grid grid = a_grid(6, 1);
	grid_put(&grid, 0, 0, -1, STYLE_NORMAL, "a\xe4\xb8\xad\xe2\x80\xa6z");
	grid_to_ascii(&grid);
	assert_grid(&grid, "a? ?z\n");
	grid_close(&grid);
}

TEST(runes_survive_encoding_and_decoding)
{
	static const uint32_t runes[] = { 1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff };
	for (size_t i = 0; i < sizeof(runes) / sizeof(*runes); i++) {
		char text[RUNE_BYTES + 1];
		uint32_t rune;
		int bytes = rune_encode(text, runes[i]);
		text[bytes] = '\0';
		assert_int_equal(rune_decode(text, &rune), bytes);
		assert_int_equal(rune, runes[i]);
	}
}

TEST(overlong_forms_and_surrogates_are_not_runes)
{
	static const char *const bad[] = { "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88", "\x80" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uint32_t rune;
		assert_true(rune_decode(bad[i], &rune) >= 1);
		assert_int_equal(rune, RUNE_REPLACEMENT);
	}
}

TEST(a_grid_is_never_smaller_than_one_cell_nor_larger_than_its_bound)
{
	struct grid grid = a_grid(0, -5);
	assert_int_equal(grid.columns, 1);
	assert_int_equal(grid.rows, 1);
	assert_int_equal(grid_resize(&grid, 1 << 20, 1 << 20), 0);
	assert_int_equal(grid.columns, GRID_MAX);
	assert_int_equal(grid.rows, GRID_MAX);
	grid_close(&grid);
	grid_close(&grid);
	grid_close(NULL);
}
