/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope: dispatch. Picks the row of the command table, reads the options
 * that the row allows and runs it. The first command of the table is the
 * default, so `pollscope 1234` is `pollscope top 1234`.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "fault.h"
#include "text.h"

const struct command *const commands[] = {
	&cmd_top, &cmd_ls, &cmd_stat, &cmd_record, &cmd_report, &cmd_replay, &cmd_check, &cmd_export, &cmd_info, &cmd_merge, &cmd_inspect, &cmd_doctor,
	&cmd_diff, &cmd_selftest, &cmd_serve,
	&cmd_demo, &cmd_help, &cmd_man, &cmd_completion, NULL
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

/*
 * Descriptors 0-2 that were closed at start must not become a ring or a socket
 * that a stray printf writes to. Each is opened the wrong way round, so that
 * use of it fails as it would have; stderr is made a hole.
 */
static int fill_descriptors(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDWR };
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			return -errno;
	return 0;
}

static const char *last_word(const struct options *options)
{
	if (options->operand_count)
		return options->operands[options->operand_count - 1];
	return options->launch ? options->launch[0] : "--all";
}

/* `pollscope stats node` is taken for `pollscope top stats node`: what was meant is the first word. */
static int refuse_word(const char *word)
{
	const char *names[64] = { NULL };
	size_t count = 0;
	for (size_t i = 0; commands[i] && count + 1 < sizeof(names) / sizeof(names[0]); i++)
		if (!commands[i]->hidden)
			names[count++] = commands[i]->name;
	const char *near = text_nearest(word, names);
	return fault(CLI_USAGE, "there is no command %s%s%s%s; pollscope help lists them", word, near ? " (did you mean " : "",
		     near ? near : "", near ? "?)" : "");
}

static int check_operands(const struct command *command, const struct options *options, int is_named)
{
	if (options->launch && !command->launches && !command->splits)
		return fault(CLI_USAGE, "%s launches no command; see pollscope help %s", command->name, command->name);
	if (options->launch && !*options->launch)
		return fault(CLI_USAGE, command->splits ? "more files must follow --" : "a command to launch must follow --");
	int given = options->operand_count + (options->launch ? 1 : 0) + (command->launches && options->all ? 1 : 0);
	if (given < command->fewest)
		return fault(CLI_USAGE, "%s wants %s%s; see pollscope help %s", command->name, command->usage,
			     command->launches ? " (pollscope ls shows what can be watched)" : "", command->name);
	if (given > command->most && !is_named && options->operand_count > 1 &&
	    options->operands[0][strspn(options->operands[0], "0123456789")])
		return refuse_word(options->operands[0]);
	if (given > command->most)
		return fault(CLI_USAGE, "%s takes %s only, \"%s\" is too much", command->name,
			     *command->usage ? command->usage : "no operands", last_word(options));
	return 0;
}

/* 1: standard output is a pipe that nobody reads any more */
static int reader_left(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	return poll(&out, 1, 0) == 1 && out.revents & POLLERR;
}

/*
 * Data that never reached stdout is a failed output, whatever the command
 * thinks; the errno of an earlier write may be gone by now.
 */
static int flush_output(int code)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (errno == EPIPE || reader_left())
		return code;
	return fault(CLI_OUTPUT, "cannot write to standard output: %s", strerror(errno ? errno : EIO));
}

/* is_named: its name was given, so that the first operand is no name of one. */
static int run_command(const struct command *command, int argc, char **argv, int is_named)
{
	struct options options;
	int code = options_read(&options, command->options | OPT_COMMON, command->name, argc, argv);
	if (code)
		return code;
	if (options.version) {
		puts(COMMAND_TOOL);
		return CLI_OK;
	}
	if (options.help) {
		help_command(command, stdout);
		return CLI_OK;
	}
	code = check_operands(command, &options, is_named);
	return code ? code : command->run(&options);
}

int main(int argc, char **argv)
{
	if (fill_descriptors())
		return CLI_OUTPUT;
	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return flush_output(run_command(commands[0], argc, argv, 0));
	if (argc < 2) {
		help_overview(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")) {
		help_overview(stdout);
		return flush_output(CLI_OK);
	}
	const struct command *command = command_find(argv[1]);
	if (command)
		return flush_output(run_command(command, argc - 1, argv + 1, 1));
	return flush_output(run_command(commands[0], argc, argv, 0));
}
