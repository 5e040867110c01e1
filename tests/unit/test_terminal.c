/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal, on a pseudo-terminal: what is sent, which keys come, and that
 * every way to die or to be stopped leaves it as it was. A child is the
 * dashboard, the test is the terminal.
 */
#define NCURSES_NOMACROS
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "test.h"
#include "tui.h"

#define PATIENCE_MS 10000
#define ENTERS "\x1b[?1049h"
#define LEAVES "\x1b[?1049l"
#define SHOWS_CURSOR "\x1b[?25h"

struct pty {
	int master, slave;      /* the slave is held open, to read its modes after the child's death */
	pid_t child;
	char seen[1 << 16];     /* what the child sent since the last clear */
	size_t bytes;
	struct termios before;
};

typedef int child_fn(void); /* returns the exit status */

/* ---- the child ---- */

static void say(const char *word)
{
	assert_true(write(STDERR_FILENO, word, strlen(word)) > 0);
}

static void show(const char *text)
{
	struct grid grid;
	int columns, rows;
	terminal_size(&columns, &rows);
	if (grid_open(&grid, columns, rows))
		exit(9);
	grid_put(&grid, 0, 0, -1, STYLE_CRIT, text);
	terminal_show(&grid);
	grid_close(&grid);
}

static int open_here(void)
{
	struct tui_options options;
	tui_options_default(&options);
	int err = terminal_open(&options);
	if (!err)
		terminal_guard();
	return err;
}

static int wait_for_key(void)
{
	int key;
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	while ((key = terminal_key()) == -1)
		poll(&in, 1, 50);
	return key;
}

/* shows "ready", tells every key as a number, ends at 'q'; 's' draws all anew */
static int echo_keys(void)
{
	if (open_here())
		return 2;
	show("ready");
	for (int key; (key = wait_for_key()) != 'q';) {
		char text[64];
		int columns, rows;
		if (key == -2)
			return 3;
		if (key == 's')
			terminal_redraw();
		terminal_size(&columns, &rows);
		snprintf(text, sizeof(text), "key %d at %dx%d.", key, columns, rows);
		show(text);
	}
	terminal_close();
	terminal_close();
	return 0;
}

/* ---- the terminal ---- */

static void pty_open(struct pty *pty, const char *term, child_fn *run)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	memset(pty, 0, sizeof(*pty));
	assert_int_equal(openpty(&pty->master, &pty->slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(pty->slave, &pty->before), 0);
	setenv("TERM", term, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	pty->child = fork();
	assert_true(pty->child >= 0);
	if (pty->child)
		return;
	close(pty->master);
	setsid();
	ioctl(pty->slave, TIOCSCTTY, 0);
	dup2(pty->slave, STDIN_FILENO);
	dup2(pty->slave, STDOUT_FILENO);
	_exit(run());
}

/* reads what there is within `ms`; 0 = nothing came */
static int pty_read(struct pty *pty, int ms)
{
	struct pollfd in = { .fd = pty->master, .events = POLLIN };
	if (poll(&in, 1, ms) <= 0)
		return 0;
	if (pty->bytes + 4096 > sizeof(pty->seen))
		pty->bytes = 0;
	ssize_t count = read(pty->master, pty->seen + pty->bytes, 4095);
	if (count <= 0)
		return 0;
	pty->bytes += (size_t)count;
	pty->seen[pty->bytes] = '\0';
	return 1;
}

static void pty_expect(struct pty *pty, const char *text)
{
	while (!strstr(pty->seen, text))
		if (!pty_read(pty, PATIENCE_MS))
			fail_msg("the child did not send \"%s\" but \"%s\"", text, pty->seen);
}

static void pty_clear(struct pty *pty)
{
	pty->bytes = 0;
	pty->seen[0] = '\0';
}

static void pty_type(struct pty *pty, const char *keys)
{
	assert_int_equal(write(pty->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* the wait status, after all that was sent was read */
static int pty_wait(struct pty *pty)
{
	int status;
	while (waitpid(pty->child, &status, WNOHANG) == 0)
		pty_read(pty, 20);
	while (pty_read(pty, 20))
		;
	return status;
}

static void pty_close(struct pty *pty)
{
	close(pty->slave);
	close(pty->master);
}

static void assert_restored(struct pty *pty)
{
	struct termios after;
	assert_int_equal(tcgetattr(pty->slave, &after), 0);
	assert_int_equal(after.c_lflag, pty->before.c_lflag);
	assert_int_equal(after.c_iflag, pty->before.c_iflag);
	assert_int_equal(after.c_oflag, pty->before.c_oflag);
	char *left = strstr(pty->seen, LEAVES);
	assert_non_null(left);
	assert_non_null(strstr(pty->seen, SHOWS_CURSOR));
	assert_null(strstr(left, ENTERS));
}

/* ---- opening ---- */

static int open_only(void)
{
	int err = open_here();
	terminal_close();
	return err == 0 ? 0 : err == -EINVAL ? 42 : 43;
}

static void assert_refused(const char *term)
{
	struct pty pty;
	pty_open(&pty, term, open_only);
	int status = pty_wait(&pty);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	assert_int_equal(pty.bytes, 0);
	pty_close(&pty);
}

TEST(an_unknown_or_dumb_terminal_is_refused_without_a_byte)
{
	assert_refused("dumb");
	assert_refused("no-such-terminal");
	assert_refused("");
}

TEST(what_is_no_terminal_is_refused)
{
	struct tui_options options = { 0 };
	int null = open("/dev/null", O_RDWR);
	assert_true(null >= 0);
	dup2(null, STDIN_FILENO);
	setenv("TERM", "xterm", 1);
	assert_int_equal(terminal_open(&options), -ENOTTY);
	assert_int_equal(terminal_key(), -1);
	terminal_redraw();
	terminal_close();
}

TEST(closing_restores_the_terminal)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", echo_keys);
	pty_expect(&pty, "ready");
	assert_non_null(strstr(pty.seen, ENTERS));
	pty_type(&pty, "q");
	int status = pty_wait(&pty);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_restored(&pty);
	pty_close(&pty);
}

/* ---- dying ---- */

static void assert_survives(int number)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", echo_keys);
	pty_expect(&pty, "ready");
	assert_int_equal(kill(pty.child, number), 0);
	int status = pty_wait(&pty);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != number)
		fail_msg("signal %d ended the child with status %x", number, status);
	assert_restored(&pty);
	pty_close(&pty);
}

TEST(the_terminal_is_restored_when_a_signal_ends_the_program)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		assert_survives(numbers[i]);
}

/* a sanitizer would speak before the processor does */
__attribute__((no_sanitize("undefined", "address")))
static int fault_here(void)
{
	if (open_here())
		return 2;
	show("ready");
	wait_for_key();
	int *volatile nowhere = NULL;
	return *nowhere;
}

static int abort_here(void)
{
	if (open_here())
		return 2;
	show("ready");
	wait_for_key();
	abort();
}

static void assert_restored_after(child_fn *run)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", run);
	pty_expect(&pty, "ready");
	pty_type(&pty, "x");
	int status = pty_wait(&pty);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_restored(&pty);
	pty_close(&pty);
}

TEST(the_terminal_is_restored_when_the_program_breaks)
{
	assert_restored_after(fault_here);
	assert_restored_after(abort_here);
}

static int keep_own_handler(void)
{
	struct sigaction ignored = { .sa_handler = SIG_IGN }, now;
	sigaction(SIGTERM, &ignored, NULL);
	if (open_here())
		return 2;
	sigaction(SIGTERM, NULL, &now);
	terminal_close();
	return now.sa_handler == SIG_IGN ? 0 : 5;
}

TEST(a_handler_of_the_host_is_left_alone)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", keep_own_handler);
	int status = pty_wait(&pty);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pty_close(&pty);
}

/* job control as a shell does it: runs the dashboard in a group of its own, continues it when it has stopped */
static int like_a_shell(void)
{
	int status;
	signal(SIGTTOU, SIG_IGN);
	pid_t pid = fork();
	if (!pid) {
		setpgid(0, 0);
		tcsetpgrp(STDIN_FILENO, getpid());
		signal(SIGTTOU, SIG_DFL);
		_exit(echo_keys());
	}
	setpgid(pid, pid);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return 7;
	tcsetpgrp(STDIN_FILENO, getpid());
	if (write(STDOUT_FILENO, "[stopped]", 9) != 9)
		return 8;
	tcsetpgrp(STDIN_FILENO, pid);
	kill(-pid, SIGCONT);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 6;
}

TEST(control_z_gives_the_terminal_back_and_coming_back_draws_again)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", like_a_shell);
	pty_expect(&pty, "ready");
	pty_clear(&pty);
	pty_type(&pty, "\x1a");
	pty_expect(&pty, "[stopped]");
	assert_non_null(strstr(pty.seen, LEAVES));
	assert_true(strstr(pty.seen, LEAVES) < strstr(pty.seen, "[stopped]"));
	pty_expect(&pty, ENTERS);
	pty_clear(&pty);
	pty_type(&pty, "a");
	pty_expect(&pty, "key 97 at 80x24.");
	pty_type(&pty, "q");
	int status = pty_wait(&pty);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_restored(&pty);
	pty_close(&pty);
}

TEST(a_hang_up_is_told_or_ends_the_program)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", echo_keys);
	pty_expect(&pty, "ready");
	close(pty.slave);
	close(pty.master);
	int status = 0;
	for (int i = 0; i < 500 && !waitpid(pty.child, &status, WNOHANG); i++)
		poll(NULL, 0, 10);
	assert_true((WIFEXITED(status) && WEXITSTATUS(status) == 3) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP));
}

static int hung_up_without_signal(void)
{
	signal(SIGHUP, SIG_IGN);
	return echo_keys();
}

TEST(a_hang_up_without_a_signal_is_told_as_minus_two)
{
	struct pty pty;
	int status = 0;
	pty_open(&pty, "xterm-256color", hung_up_without_signal);
	pty_expect(&pty, "ready");
	close(pty.slave);
	close(pty.master);
	for (int i = 0; i < 500 && !waitpid(pty.child, &status, WNOHANG); i++)
		poll(NULL, 0, 10);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
}

/* ---- keys ---- */

static int tell_keys(void)
{
	if (open_here())
		return 2;
	show("ready");
	for (int key; (key = wait_for_key()) != 'q';) {
		char text[32];
		snprintf(text, sizeof(text), "<%d>", key);
		say(text);
	}
	terminal_close();
	return 0;
}

TEST(sequences_are_decoded_to_keys)
{
	static const struct { const char *bytes; int key; } rows[] = {
		{ "a", 'a' }, { "\x1bOA", KEY_UP }, { "\x1bOB", KEY_DOWN }, { "\x1b[6~", KEY_NPAGE }, { "\x1b[5~", KEY_PPAGE },
		{ "\x1bOP", KEY_F(1) }, { "\x1b[21~", KEY_F(10) }, { "\x1b[Z", KEY_BTAB }, { "\t", '\t' }, { "\r", '\r' },
		{ "\x13", 0x13 }, { "\x0c", 0x0c }, { "\x7f", KEY_BACKSPACE }, { "\xc3\xa9", 0xe9 },
		{ "\xe4\xb8\xad", TUI_RUNE | 0x4e2d }, { "\x1b", 27 },
	};
	struct pty pty;
	int told[2];
	assert_int_equal(pipe(told), 0);
	int kept = dup(STDERR_FILENO);
	dup2(told[1], STDERR_FILENO);
	pty_open(&pty, "xterm-256color", tell_keys);
	dup2(kept, STDERR_FILENO);
	pty_expect(&pty, "ready");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char wanted[32], got[32] = "";
		pty_type(&pty, rows[i].bytes);
		snprintf(wanted, sizeof(wanted), "<%d>", rows[i].key);
		struct pollfd in = { .fd = told[0], .events = POLLIN };
		assert_int_equal(poll(&in, 1, PATIENCE_MS), 1);
		ssize_t count = read(told[0], got, sizeof(got) - 1);
		assert_true(count > 0);
		assert_string_equal(got, wanted);
	}
	pty_type(&pty, "q");
	pty_wait(&pty);
	pty_close(&pty);
}

TEST(a_resize_is_a_key_and_changes_the_size)
{
	struct pty pty;
	struct winsize size = { .ws_row = 50, .ws_col = 132 };
	pty_open(&pty, "xterm-256color", echo_keys);
	pty_expect(&pty, "ready");
	pty_clear(&pty);
	assert_int_equal(ioctl(pty.master, TIOCSWINSZ, &size), 0);
	pty_read(&pty, 1000);
	pty_type(&pty, "s");
	pty_expect(&pty, "at 132x50.");
	pty_type(&pty, "q");
	pty_wait(&pty);
	pty_close(&pty);
}

TEST(a_storm_of_resizes_down_to_1x1_ends_at_the_last_size)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", echo_keys);
	pty_expect(&pty, "ready");
	for (int i = 0; i < 60; i++) {
		struct winsize size = { .ws_row = (unsigned short)(1 + i * 7 % 60), .ws_col = (unsigned short)(1 + i * 37 % 200) };
		ioctl(pty.master, TIOCSWINSZ, &size);
		pty_read(&pty, 2);
	}
	struct winsize small = { .ws_row = 1, .ws_col = 1 }, last = { .ws_row = 30, .ws_col = 100 };
	ioctl(pty.master, TIOCSWINSZ, &small);
	pty_read(&pty, 100);
	ioctl(pty.master, TIOCSWINSZ, &last);
	/* of what changed ncurses sends the cells only, in any order: a whole picture is asked for, until it has the size */
	for (int i = 0; i < 100 && !strstr(pty.seen, "at 100x30."); i++) {
		pty_clear(&pty);
		pty_type(&pty, "s");
		while (pty_read(&pty, 50))
			;
	}
	pty_expect(&pty, "at 100x30.");
	pty_type(&pty, "q");
	int status = pty_wait(&pty);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	pty_close(&pty);
}

/* ---- drawing ---- */

static int show_twice(void)
{
	if (open_here())
		return 2;
	show("first text");
	wait_for_key();
	show("first text");
	wait_for_key();
	show("first tezt");
	wait_for_key();
	terminal_redraw();
	show("first tezt");
	wait_for_key();
	terminal_close();
	return 0;
}

static void drain(struct pty *pty)
{
	while (pty_read(pty, 150))
		;
}

TEST(only_what_changed_is_sent)
{
	struct pty pty;
	pty_open(&pty, "xterm-256color", show_twice);
	pty_expect(&pty, "first text");
	drain(&pty);
	pty_clear(&pty);
	pty_type(&pty, "a");
	drain(&pty);
	assert_int_equal(pty.bytes, 0); /* an equal picture sends nothing */
	pty_type(&pty, "b");
	pty_expect(&pty, "z");
	drain(&pty);
	assert_null(strstr(pty.seen, "first"));
	assert_true(pty.bytes < 64);
	pty_clear(&pty);
	pty_type(&pty, "c");
	pty_expect(&pty, "first tezt"); /* ^L draws all */
	pty_type(&pty, "d");
	pty_wait(&pty);
	pty_close(&pty);
}

static int show_coloured(void)
{
	if (open_here())
		return 2;
	show("coloured");
	wait_for_key();
	terminal_close();
	return 0;
}

static int sends_colour(const char *no_colour)
{
	struct pty pty;
	if (no_colour)
		setenv("NO_COLOR", no_colour, 1);
	else
		unsetenv("NO_COLOR");
	pty_open(&pty, "xterm-256color", show_coloured);
	pty_expect(&pty, "coloured");
	int coloured = strstr(pty.seen, "\x1b[31m") || strstr(pty.seen, ";31m");
	pty_type(&pty, "x");
	pty_wait(&pty);
	pty_close(&pty);
	return coloured;
}

TEST(colour_is_sent_unless_NO_COLOR_is_set)
{
	assert_true(sends_colour(NULL));
	assert_true(sends_colour(""));
	assert_false(sends_colour("1"));
}

TEST(the_locale_decides_on_ascii)
{
	struct tui_options options;
	setenv("LC_ALL", "C", 1);
	tui_options_default(&options);
	assert_int_equal(options.ascii, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	tui_options_default(&options);
	assert_int_equal(options.ascii, 0);
}
