/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Help, man page and completion: three ways to print the command and options
 * tables. Nothing about a command or an option is written here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "fault.h"
#include "tui.h"

#define WIDTH 80

static const char target_note[] = "TARGET is a process id, a command name, --all, or -- COMMAND ARGS... to launch it.";

/* Puts words at `indent`, broken before WIDTH; the cursor stands at `column`. */
static void put_wrapped(FILE *out, int column, int indent, const char *text)
{
	while (*text) {
		int bytes = (int)strcspn(text, " \n");
		if (column > indent && column + bytes + 1 > WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column < indent) {
			fprintf(out, "%*s", indent - column, "");
			column = indent;
		} else if (column > indent) {
			column += fprintf(out, " ");
		}
		column += fprintf(out, "%.*s", bytes, text);
		text += bytes;
		if (*text == '\n') {
			fprintf(out, "\n\n");
			column = 0;
		}
		text += *text != 0;
	}
	fputc('\n', out);
}

static uint64_t options_of(const struct command *command)
{
	return command->options | OPT_COMMON;
}

static void put_option(const struct option_row *row, FILE *out)
{
	char head[64];
	char letter[8] = "    ";
	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	int optional = row->argument && *row->argument == '[';
	int column = snprintf(head, sizeof(head), "  %s--%s%s%s", letter, row->name,
			      !row->argument ? "" : optional ? "" : " ", row->argument ? row->argument : "");
	if (optional)
		column = snprintf(head, sizeof(head), "  %s--%s[=%s", letter, row->name, row->argument + 1);
	fputs(head, out);
	if (column >= 26) {
		fputc('\n', out);
		column = 0;
	}
	put_wrapped(out, column, 26, row->note);
}

static void put_words_line(FILE *out, const char *head, void (*words)(FILE *out))
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);
	if (!memory)
		return;
	words(memory);
	if (!fclose(memory)) {
		for (size_t i = 0; i < bytes; i++)
			if (text[i] == '\n')
				text[i] = ' ';
		int column = fprintf(out, "\n%s", head) - 1;
		put_wrapped(out, column, column + 1, text);
	}
	free(text);
}

void help_command(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: pollscope %s%s%s [options]\n\n", command->name, *command->usage ? " " : "", command->usage);
	if (command->launches) {
		put_wrapped(out, 0, 0, target_note);
		fputc('\n', out);
	}
	put_wrapped(out, 0, 0, command->more);
	fprintf(out, "\nOptions:\n");
	for (int i = 0; i < OPTION_COUNT_OF; i++)
		if (options_of(command) & 1ull << i)
			put_option(&option_rows[i], out);
	if (command->words_title)
		put_words_line(out, command->words_title, command->words);
	if (command->options & OPT(TO))
		put_words_line(out, "Formats:", option_rows[OPTION_TO].words);
}

void help_overview(FILE *out)
{
	fprintf(out, "Usage: pollscope [COMMAND] TARGET [options]\n\n"
		     "Looks into event loops and the kernel pollers under them.\n\nCommands:\n");
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		int column = fprintf(out, "  %s", commands[i]->name);
		put_wrapped(out, column, 12, commands[i]->note);
	}
	fputc('\n', out);
	put_wrapped(out, 0, 0, target_note);
	fprintf(out, "pollscope help COMMAND tells more. To see it at work: pollscope demo\n\nExit codes:\n");
	for (const struct exit_row *row = exit_rows; row->meaning; row++)
		fprintf(out, "  %d  %s\n", row->code, row->meaning);
}

static int run_help(const struct options *options)
{
	if (!options->operand_count) {
		help_overview(stdout);
		return CLI_OK;
	}
	const struct command *command = command_find(options->operands[0]);
	if (!command)
		return fault(CLI_USAGE, "there is no command %s; pollscope help lists them", options->operands[0]);
	help_command(command, stdout);
	return CLI_OK;
}

/* ---- the man page ---- */

/*
 * Text for mdoc: no line may begin with a dot or a quote, hyphens and
 * backslashes are characters, each sentence begins a line.
 */
static void put_roff(FILE *out, const char *text)
{
	char before = '\n';
	for (; *text; before = *text++) {
		if (before == '\n' && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\n')
			fputs("\n.Pp\n", out);
		else
			fputc(*text == ' ' && (before == '.' || before == '?') ? '\n' : *text, out);
	}
	fputc('\n', out);
}

static void put_roff_option(const struct option_row *row, FILE *out)
{
	fputs(".It ", out);
	if (row->letter)
		fprintf(out, "Fl %c , ", row->letter);
	int optional = row->argument && *row->argument == '[';
	fprintf(out, "Fl \\-%s", row->name);
	if (optional)
		fprintf(out, " Ns Op = Ns Ar %.*s", (int)strcspn(row->argument + 1, "]"), row->argument + 1);
	else if (row->argument)
		fprintf(out, " Ar %s", row->argument);
	fputc('\n', out);
	put_roff(out, row->note);
}

static void put_roff_words(FILE *out, const char *head, void (*words)(FILE *out))
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);
	if (!memory)
		return;
	words(memory);
	if (!fclose(memory)) {
		fprintf(out, ".Pp\n%s\n", head);
		for (char *word = strtok(text, "\n"); word; word = strtok(NULL, "\n"))
			fprintf(out, ".Cm %s\n", word);
	}
	free(text);
}

static void put_roff_command(const struct command *command, FILE *out)
{
	fprintf(out, ".Ss %s\n", command->name);
	put_roff(out, command->note);
	fputs(".Pp\n", out);
	put_roff(out, command->more);
	if (command->words_title)
		put_roff_words(out, command->words_title, command->words);
	if (command->options & OPT(TO))
		put_roff_words(out, "Formats:", option_rows[OPTION_TO].words);
	fputs(".Pp\nOptions:\n", out);
	for (int i = 0; i < OPTION_COUNT_OF; i++)
		if (options_of(command) & 1ull << i)
			fprintf(out, ".Fl \\-%s\n", option_rows[i].name);
}

static void put_roff_head(FILE *out)
{
	fputs(".\\\" Made by pollscope from its command and options tables.\n"
	      ".Dd November 24, 2026\n.Dt POLLSCOPE 1\n.Os\n.Sh NAME\n.Nm pollscope\n"
	      ".Nd look into event loops and the kernel pollers under them\n.Sh SYNOPSIS\n", out);
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		fprintf(out, ".Nm\n.Cm %s\n", commands[i]->name);
		if (*commands[i]->usage)
			put_roff(out, commands[i]->usage);
		fputs(".Op Ar options\n", out);
	}
	fputs(".Sh DESCRIPTION\n.Nm\nshows what the event loops of running programs do: how long they wait in the poller, "
	      "how long they are busy, and, when a loop did not come back, which function or system call held it.\n"
	      "It needs no change and no restart of the watched program and never stops it.\n.Pp\n.Ar TARGET\n"
	      "is a process id, a command name,\n.Fl \\-all ,\nor\n.Cm \\-\\-\n.Ar COMMAND ARGS\n"
	      "to launch it, as the user who called\n.Xr sudo 8 .\n"
	      "Durations are written 50ms, 2s or 5m, sizes 64K or 8MiB.\n"
	      "Data goes to standard output, words go to standard error.\n", out);
}

static void put_roff_tail(FILE *out)
{
	fputs(".Sh ENVIRONMENT\n.Bl -tag -width NO_COLOR\n.It Ev NO_COLOR\nwhen set and not empty, no colour is used.\n"
	      ".It Ev SUDO_UID , Ev SUDO_GID\nwhom a launched command runs as.\n"
	      ".It Ev PS_THREADPOOL_SIZE\nthreads in the pool of an instrumented loop, the demo included.\n.El\n"
	      ".Sh EXIT STATUS\n.Bl -tag -width 4n\n", out);
	for (const struct exit_row *row = exit_rows; row->meaning; row++) {
		fprintf(out, ".It %d\n", row->code);
		put_roff(out, row->meaning);
	}
	fputs(".El\n.Sh EXAMPLES\n.Dl pollscope demo\n.Dl pollscope stat \\-d 10s node\n"
	      ".Dl pollscope record \\-o a.psr \\-d 1m 4711\n.Dl pollscope check a.psr \\-\\-budget budget.yml \\-\\-junit junit.xml\n"
	      ".Sh SEE ALSO\n.Xr strace 1 ,\n.Xr epoll 7\n", out);
}

static int run_man(const struct options *options)
{
	put_roff_head(stdout);
	fputs(".Sh COMMANDS\n", stdout);
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			put_roff_command(commands[i], stdout);
	fputs(".Sh OPTIONS\n.Bl -tag -width Ds\n", stdout);
	for (int i = 0; i < OPTION_COUNT_OF; i++)
		put_roff_option(&option_rows[i], stdout);
	fputs(".El\n.Sh KEYS\n.Bl -tag -width Ds\n", stdout);
	tui_print_keys(stdout, 1);
	fputs(".El\n", stdout);
	put_roff_tail(stdout);
	return CLI_OK;
}

/* ---- bash completion ---- */

static void put_option_words(uint64_t options)
{
	for (int i = 0; i < OPTION_COUNT_OF; i++)
		if (options & 1ull << i)
			printf(" --%s", option_rows[i].name);
}

static void put_joined(void (*words)(FILE *out))
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);
	if (!memory)
		return;
	words(memory);
	if (!fclose(memory))
		for (char *word = strtok(text, "\n"); word; word = strtok(NULL, "\n"))
			printf(" %s", word);
	free(text);
}

static void put_previous_cases(void)
{
	for (int i = 0; i < OPTION_COUNT_OF; i++) {
		const struct option_row *row = &option_rows[i];
		if (!row->argument || *row->argument == '[')
			continue;
		if (row->letter)
			printf("\t-%c|", row->letter);
		else
			printf("\t");
		printf("--%s) ", row->name);
		if (row->words) {
			printf("COMPREPLY=($(compgen -W '");
			put_joined(row->words);
			printf("' -- \"$word\")); ");
		} else if (!strcmp(row->argument, "FILE")) {
			printf("COMPREPLY=($(compgen -f -- \"$word\")); ");
		}
		printf("return ;;\n");
	}
}

static int run_completion(const struct options *options)
{
	printf("# bash completion of pollscope, made from its tables\n_pollscope() {\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=\n"
	       "\tif [ \"$COMP_CWORD\" = 1 ] && [[ $word != -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			printf(" %s", commands[i]->name);
	printf("' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase $previous in\n");
	put_previous_cases();
	printf("\tesac\n\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; commands[i]; i++) {
		if (commands[i]->hidden)
			continue;
		printf("\t%s) words='", commands[i]->name);
		put_option_words(options_of(commands[i]));
		if (commands[i]->words)
			put_joined(commands[i]->words);
		printf("' ;;\n");
	}
	printf("\t*) words='"); /* `pollscope node` is `pollscope top node` */
	put_option_words(options_of(&cmd_top));
	printf("' ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	       "\t[ ${#COMPREPLY[@]} = 0 ] && COMPREPLY=($(compgen -f -- \"$word\"))\n}\n"
	       "complete -o filenames -F _pollscope pollscope\n");
	return CLI_OK;
}

static void put_commands(FILE *out)
{
	for (size_t i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			fprintf(out, "%s\n", commands[i]->name);
}

const struct command cmd_help = {
	.name = "help", .usage = "[COMMAND]", .note = "tell more about a command", .more = "Without COMMAND: all commands.",
	.most = 1, .run = run_help, .words = put_commands,
};
const struct command cmd_man = {
	.name = "_man", .usage = "", .note = "the man page (mdoc)", .more = "", .run = run_man, .hidden = 1,
};
const struct command cmd_completion = {
	.name = "_completion", .usage = "", .note = "bash completion", .more = "", .run = run_completion, .hidden = 1,
};
