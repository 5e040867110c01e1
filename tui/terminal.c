/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal: the only caller of ncurses.
 *
 * Restoring must work from a signal handler, where ncurses must not be called.
 * So terminal_open() keeps the bytes that leave and enter the alternate screen
 * and both sets of modes; a handler writes the bytes, sets the modes and lets
 * the signal do its work.
 *
 * Only rows that changed since the last show are given to ncurses, which in
 * turn sends only the cells that changed: no clearing, no flicker.
 */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#undef columns /* term.h makes names of capabilities into macros */
#undef lines

#include "tui.h"

#define ESCAPE_DELAY_MS 25

/* what a signal handler needs; written before `active` is set */
static struct {
	volatile sig_atomic_t active;
	volatile sig_atomic_t stale;     /* the screen was left and entered again */
	char enter[256], leave[256];
	size_t enter_bytes, leave_bytes;
	struct termios before, during;
	struct sigaction previous[NSIG]; /* who handled the signal before */
} saved;

static struct {
	SCREEN *screen;
	int colour;
	struct grid shown;               /* what ncurses was told */
	int redraw;
} terminal;

/* ---- themes ---- */

const char *const tui_theme_names[THEME_COUNT] = { "dark", "light", "mono", "colour-blind" };

/* The background is always the terminal's own; where it is light, yellow and cyan cannot be read. */
static const struct look { attr_t attributes; short colour; } themes[THEME_COUNT][STYLE_COUNT] = {
	[THEME_DARK] = {
		[STYLE_NORMAL] = { A_NORMAL, -1 }, [STYLE_DIM] = { A_DIM, -1 }, [STYLE_BOLD] = { A_BOLD, -1 },
		[STYLE_TITLE] = { A_BOLD, COLOR_BLUE }, [STYLE_HEAD] = { A_BOLD, -1 }, [STYLE_SELECTED] = { A_REVERSE, -1 },
		[STYLE_GOOD] = { A_BOLD, COLOR_GREEN }, [STYLE_WARN] = { A_BOLD, COLOR_YELLOW },
		[STYLE_CRIT] = { A_BOLD, COLOR_RED }, [STYLE_KEY] = { A_NORMAL, COLOR_CYAN },
	},
	[THEME_LIGHT] = {
		[STYLE_NORMAL] = { A_NORMAL, -1 }, [STYLE_DIM] = { A_NORMAL, -1 }, [STYLE_BOLD] = { A_BOLD, -1 },
		[STYLE_TITLE] = { A_BOLD, COLOR_BLUE }, [STYLE_HEAD] = { A_BOLD, -1 }, [STYLE_SELECTED] = { A_REVERSE, -1 },
		[STYLE_GOOD] = { A_BOLD, COLOR_BLUE }, [STYLE_WARN] = { A_BOLD, COLOR_MAGENTA },
		[STYLE_CRIT] = { A_BOLD, COLOR_RED }, [STYLE_KEY] = { A_NORMAL, COLOR_BLUE },
	},
	[THEME_MONO] = {
		[STYLE_NORMAL] = { A_NORMAL, -1 }, [STYLE_DIM] = { A_NORMAL, -1 }, [STYLE_BOLD] = { A_BOLD, -1 },
		[STYLE_TITLE] = { A_BOLD, -1 }, [STYLE_HEAD] = { A_UNDERLINE, -1 }, [STYLE_SELECTED] = { A_REVERSE, -1 },
		[STYLE_GOOD] = { A_BOLD, -1 }, [STYLE_WARN] = { A_BOLD, -1 },
		[STYLE_CRIT] = { A_BOLD | A_UNDERLINE, -1 }, [STYLE_KEY] = { A_NORMAL, -1 },
	},
	/* blue and orange-like yellow differ for everybody, and bad is underlined besides */
	[THEME_COLOUR_BLIND] = {
		[STYLE_NORMAL] = { A_NORMAL, -1 }, [STYLE_DIM] = { A_DIM, -1 }, [STYLE_BOLD] = { A_BOLD, -1 },
		[STYLE_TITLE] = { A_BOLD, COLOR_CYAN }, [STYLE_HEAD] = { A_BOLD, -1 }, [STYLE_SELECTED] = { A_REVERSE, -1 },
		[STYLE_GOOD] = { A_BOLD, COLOR_CYAN }, [STYLE_WARN] = { A_BOLD, COLOR_YELLOW },
		[STYLE_CRIT] = { A_BOLD | A_UNDERLINE, COLOR_YELLOW }, [STYLE_KEY] = { A_NORMAL, COLOR_CYAN },
	},
};
static const struct look *theme = themes[THEME_DARK];

static void start_colours(void)
{
	terminal.colour = has_colors() && start_color() == OK && use_default_colors() == OK;
	for (short style = 0; terminal.colour && style < STYLE_COUNT; style++)
		if (theme[style].colour >= 0)
			init_pair((short)(style + 1), theme[style].colour, -1);
}

void terminal_theme(enum tui_theme wanted)
{
	const struct look *next = themes[(unsigned)wanted < THEME_COUNT ? wanted : THEME_DARK];
	if (next == theme)
		return;
	theme = next;
	if (terminal.screen && terminal.colour)
		start_colours();
	terminal_redraw();
}

/* ---- what a handler may do ---- */

static void write_all(const char *bytes, size_t count)
{
	while (count) {
		ssize_t written = write(STDOUT_FILENO, bytes, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		bytes += written;
		count -= (size_t)written;
	}
}

static void leave_screen(void)
{
	write_all(saved.leave, saved.leave_bytes);
	tcsetattr(STDIN_FILENO, TCSANOW, &saved.before);
}

static void enter_screen(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &saved.during);
	write_all(saved.enter, saved.enter_bytes);
	saved.stale = 1;
}

/* lets what was there before us act on `number` now, although our handler runs */
static void act_as_before(int number)
{
	struct sigaction own;
	sigset_t set;

	sigaction(number, &saved.previous[number], &own);
	raise(number);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigaction(number, &own, NULL);
}

static void on_death(int number, siginfo_t *info, void *context)
{
	int err = errno;
	if (saved.active) {
		saved.active = 0;
		leave_screen();
	}
	/* a fault of ours happens again on return, with its address */
	if (info->si_code > 0)
		sigaction(number, &saved.previous[number], NULL);
	else
		act_as_before(number);
	errno = err;
}

static void on_stop(int number)
{
	int err = errno;
	if (saved.active)
		leave_screen();
	act_as_before(number);
	if (saved.active)
		enter_screen();
	errno = err;
}

/* stopped by SIGSTOP, the shell may have changed the modes */
static void on_continue(int number)
{
	int err = errno;
	if (saved.active)
		enter_screen();
	errno = err;
}

/* ---- open ---- */

void tui_options_default(struct tui_options *options)
{
	const char *no_colour = getenv("NO_COLOR");

	memset(options, 0, sizeof(*options));
	setlocale(LC_CTYPE, "");
	options->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	options->colour = !no_colour || !*no_colour;
}

/* Appends a capability without its padding ("$<5/>"). */
static void append_capability(char *bytes, size_t *count, size_t room, const char *name)
{
	const char *text = tigetstr((char *)name);

	if (!text || text == (char *)-1)
		return;
	while (*text && *count + 1 < room) {
		const char *end = text[0] == '$' && text[1] == '<' ? strchr(text, '>') : NULL;
		if (end)
			text = end + 1;
		else
			bytes[(*count)++] = *text++;
	}
}

static void save_bytes(void)
{
	static const char *const leaving[] = { "sgr0", "op", "rmkx", "cnorm", "rmcup" };
	static const char *const entering[] = { "smcup", "smkx", "civis" };

	saved.leave_bytes = saved.enter_bytes = 0;
	for (size_t i = 0; i < sizeof(leaving) / sizeof(*leaving); i++)
		append_capability(saved.leave, &saved.leave_bytes, sizeof(saved.leave), leaving[i]);
	for (size_t i = 0; i < sizeof(entering) / sizeof(*entering); i++)
		append_capability(saved.enter, &saved.enter_bytes, sizeof(saved.enter), entering[i]);
}

/* "dumb" cannot place the cursor, an unknown one has no description */
int terminal_can_draw(void)
{
	int err;
	if (setupterm(NULL, STDOUT_FILENO, &err) != OK)
		return 0;
	const char *place = tigetstr("cup");
	int capable = place && place != (char *)-1 && !tigetflag("hc");
	del_curterm(cur_term);
	return capable;
}

/* newterm() takes signals that the host may want to keep */
static SCREEN *open_screen(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGTSTP };
	struct sigaction kept[3];

	for (int i = 0; i < 3; i++)
		sigaction(numbers[i], NULL, &kept[i]);
	SCREEN *screen = newterm(NULL, stdout, stdin);
	for (int i = 0; i < 3; i++)
		sigaction(numbers[i], &kept[i], NULL);
	return screen;
}

static void set_modes(void)
{
	cbreak();
	noecho();
	nonl();
	set_escdelay(ESCAPE_DELAY_MS);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	leaveok(stdscr, TRUE);
	curs_set(0);
	tcgetattr(STDIN_FILENO, &saved.during);
	saved.during.c_iflag &= ~(tcflag_t)(IXON | IXOFF); /* ^S is a key */
	saved.during.c_lflag |= NOFLSH; /* else ^Z and ^C throw away what their handlers write to restore the screen */
	tcsetattr(STDIN_FILENO, TCSANOW, &saved.during);
	def_prog_mode();
}

int terminal_open(const struct tui_options *options)
{
	if (terminal.screen)
		return -EBUSY;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	if (!terminal_can_draw())
		return -EINVAL;
	if (tcgetattr(STDIN_FILENO, &saved.before))
		return -errno;
	setlocale(LC_CTYPE, "");
	terminal.screen = open_screen();
	if (!terminal.screen)
		return -EINVAL;
	save_bytes();
	set_modes();
	terminal.colour = 0;
	if (options->colour)
		start_colours();
	terminal.redraw = 1;
	saved.active = 1;
	return 0;
}

static void take_signal(int number, const struct sigaction *action, int if_vacant)
{
	struct sigaction now;
	if (sigaction(number, NULL, &now) || now.sa_sigaction == on_death || now.sa_handler == on_stop)
		return;
	if (if_vacant && ((now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL))
		return;
	saved.previous[number] = now;
	sigaction(number, action, NULL);
}

void terminal_guard(void)
{
	static const int always[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	static const int vacant[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	struct sigaction death = { .sa_sigaction = on_death, .sa_flags = SA_SIGINFO };
	struct sigaction stop = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	struct sigaction resume = { .sa_handler = on_continue, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		take_signal(always[i], &death, 0);
	for (size_t i = 0; i < sizeof(vacant) / sizeof(*vacant); i++)
		take_signal(vacant[i], &death, 1);
	take_signal(SIGTSTP, &stop, 1);
	take_signal(SIGCONT, &resume, 1);
}

void terminal_close(void)
{
	if (!terminal.screen)
		return;
	if (saved.active) {
		saved.active = 0;
		endwin();
		tcsetattr(STDIN_FILENO, TCSANOW, &saved.before);
	}
	delscreen(terminal.screen);
	grid_close(&terminal.shown);
	memset(&terminal, 0, sizeof(terminal));
}

/* ---- in and out ---- */

void terminal_size(int *columns, int *rows)
{
	*columns = terminal.screen ? COLS : 80;
	*rows = terminal.screen ? LINES : 24;
}

/* -1, or -2 when nothing will ever come: hung up, or at its end */
static int why_no_key(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int bytes = 0;

	if (poll(&in, 1, 0) <= 0)
		return -1;
	if (in.revents & (POLLHUP | POLLERR | POLLNVAL))
		return -2;
	return (in.revents & POLLIN) && !ioctl(STDIN_FILENO, FIONREAD, &bytes) && !bytes ? -2 : -1;
}

int terminal_key(void)
{
	wint_t rune;

	if (!terminal.screen)
		return -1;
	switch (get_wch(&rune)) {
	case KEY_CODE_YES:
		if (rune == KEY_RESIZE)
			terminal.redraw = 1;
		return (int)rune;
	case OK:
		return rune > 255 ? (int)rune | TUI_RUNE : (int)rune;
	default:
		return why_no_key();
	}
}

static void put_cell(const struct cell *cell)
{
	wchar_t text[2] = { (wchar_t)cell->rune, 0 };
	enum grid_style style = cell->style < STYLE_COUNT ? cell->style : STYLE_NORMAL;
	short pair = terminal.colour && theme[style].colour >= 0 ? (short)(style + 1) : 0;
	cchar_t wide;

	/* outside a UTF-8 locale the host draws ASCII; whatever else comes must not reach the terminal as bytes */
	if (setcchar(&wide, text, theme[style].attributes, pair, NULL) == OK)
		add_wch(&wide);
}

static int is_shown(const struct grid *grid, int y)
{
	size_t at = (size_t)y * grid->columns;
	return !terminal.redraw &&
	       !memcmp(&grid->cells[at], &terminal.shown.cells[at], (size_t)grid->columns * sizeof(*grid->cells));
}

static void put_row(const struct grid *grid, int y)
{
	for (int x = 0; x < grid->columns && x < COLS; x++) {
		const struct cell *cell = &grid->cells[(size_t)y * grid->columns + x];
		if (!cell->width)
			continue;
		move(y, x);
		put_cell(cell);
	}
}

/* ncurses ignores ^Z while it writes; a blocked signal is not ignored but waits */
static void refresh_and_keep_stop(void)
{
	sigset_t stop, before;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	sigprocmask(SIG_BLOCK, &stop, &before);
	refresh();
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_redraw(void)
{
	terminal.redraw = 1;
	if (terminal.screen)
		clearok(curscr, TRUE);
}

void terminal_show(const struct grid *grid)
{
	if (!terminal.screen)
		return;
	if (saved.stale) {
		saved.stale = 0;
		terminal_redraw();
	}
	struct grid *shown = &terminal.shown;
	if (shown->columns != grid->columns || shown->rows != grid->rows) {
		terminal.redraw = 1;
		erase();
		if (grid_resize(shown, grid->columns, grid->rows))
			return;
	}
	for (int y = 0; y < grid->rows && y < LINES; y++)
		if (!is_shown(grid, y))
			put_row(grid, y);
	memcpy(shown->cells, grid->cells, (size_t)grid->columns * (size_t)grid->rows * sizeof(*grid->cells));
	terminal.redraw = 0;
	refresh_and_keep_stop();
}
