/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope selftest: runs a command again and again under record and judges
 * the runs against each other. What this machine's noise alone would fail, and
 * what it would hide, is known before a gate is built on it.
 *
 * The recordings live in a folder of their own, which goes with the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "fault.h"
#include "inputs.h"
#include "json.h"
#include "schema.h"

#define RUNS     40
#define VERDICTS 200

static const char first_budget[] = "schema: 1\nregressions:\n  - metric: new.sync_calls\n  - metric: new.stalls\n"
				   "  - metric: new.rules\n  - metric: cpu.per_iteration\n";

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	interrupted = 1;
}

#define MAX_ARGUMENTS 48

/* The command line of record, with the options that were given to us. */
struct line { char *argv[MAX_ARGUMENTS]; int count; char stall[32]; };

static void add(struct line *line, const char *word)
{
	if (line->count + 1 < MAX_ARGUMENTS)
		line->argv[line->count++] = (char *)word;
	line->argv[line->count] = NULL;
}

static void make_line(struct line *line, const char *path, const char *command, const struct options *options)
{
	snprintf(line->stall, sizeof(line->stall), "%lluns", (unsigned long long)(options->stall_ns ? options->stall_ns : 50000000));
	const char *const first[] = { "pollscope", "record", "-q", "-o", path, "--stall", line->stall };
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		add(line, first[i]);
	if (options->no_bpf)
		add(line, "--no-bpf");
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++)
		if (options->without >> group & 1) {
			add(line, "--without");
			add(line, probe_group_name(group));
		}
	const char *const last[] = { "--", "/bin/sh", "-c", command };
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
		add(line, last[i]);
}

/* One run under record, with its words and the command's thrown away. The exit code, or -errno. */
static int record_once(char **argv)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = 0;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	int err = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_NO_TARGET;
}

static int run_one(struct inputs *inputs, const char *folder, size_t number, const char *command, const struct options *options)
{
	char path[512];
	struct line line = { .count = 0 };
	snprintf(path, sizeof(path), "%.400s/%05zu.psr", folder, number);
	make_line(&line, path, command, options);
	int code = record_once(line.argv);
	if (code < 0)
		code = fault(CLI_OUTPUT, "cannot run record: %s", strerror(-code));
	else if (code)
		fault(code, "record of run %zu ended with exit code %d; try: pollscope record -o F.psr -- %.200s", number + 1, code, command);
	if (!code)
		code = inputs_add(inputs, path, options->stall_ns);
	unlink(path);
	return code;
}

/* One with the fault between two without. */
static int run_all(struct inputs *inputs, struct inputs *worse, const char *folder, const struct options *options)
{
	size_t runs = options->count ? (size_t)options->count : RUNS;
	int code = 0;
	for (size_t i = 0; i < runs && !code && !interrupted; i++) {
		if (isatty(STDERR_FILENO))
			say("run %zu of %zu", i + 1, runs);
		code = run_one(inputs, folder, i, options->ab, options);
		if (!code && options->worse && i % 2 == 0 && !interrupted)
			code = run_one(worse, folder, i, options->worse, options);
	}
	if (!code && interrupted)
		code = fault(CLI_INCONCLUSIVE, "stopped after %zu runs of %zu", inputs->count, runs);
	return code;
}

/* The budget of the user, or the exact comparisons and CPU time. */
static int open_budget(struct budget_file **budgets, const char *folder, const struct options *options)
{
	char path[512], message[512] = "";
	const char *name = options->budget;
	if (!name) {
		snprintf(path, sizeof(path), "%.400s/first.yml", folder);
		name = path;
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		ssize_t wrote = fd < 0 ? -1 : write(fd, first_budget, sizeof(first_budget) - 1);
		int err = errno;
		if (fd >= 0)
			close(fd);
		if (wrote != (ssize_t)sizeof(first_budget) - 1) {
			unlink(path);
			return fault(CLI_OUTPUT, "cannot write %s: %s", path, strerror(err));
		}
	}
	int err = budget_open(budgets, name, message, sizeof(message));
	if (!options->budget)
		unlink(path);
	return err ? fault(CLI_USAGE, "%s", *message ? message : strerror(-err)) : 0;
}

static int tell(const struct budget_file *budgets, const struct inputs *inputs, const struct inputs *worse, const struct options *options)
{
	const struct check_runs runs = inputs_runs(inputs), changed = inputs_runs(worse);
	const struct check_options how = { .lossy_ok = options->lossy, .units = options->units };
	json_t *selftest = check_selftest(budgets, &runs, options->worse ? &changed : NULL, VERDICTS, &how);
	if (!selftest)
		return fault(CLI_OUTPUT, "not enough memory");
	if (options->json) {
		json_tell("selftest", selftest);
		return CLI_OK;
	}
	check_selftest_print(selftest, options->ab, options->worse, stdout);
	json_decref(selftest);
	return CLI_OK;
}

static int test_in(const char *folder, const struct options *options)
{
	struct budget_file *budgets = NULL;
	struct inputs inputs = { 0 }, worse = { 0 };
	int code = open_budget(&budgets, folder, options);
	if (!code)
		code = run_all(&inputs, &worse, folder, options);
	if (!code)
		code = tell(budgets, &inputs, &worse, options);
	inputs_free(&inputs);
	inputs_free(&worse);
	budget_close(budgets);
	return code;
}

static int run(const struct options *options)
{
	const char *base = getenv("TMPDIR");
	char folder[300];
	const struct sigaction action = { .sa_handler = on_interrupt };
	if (!options->ab)
		return fault(CLI_USAGE, "selftest wants --ab COMMAND, which it runs again and again");
	if (options->count && options->count < 8)
		return fault(CLI_USAGE, "selftest needs at least 8 runs: 4 of each side");
	snprintf(folder, sizeof(folder), "%.200s/pollscope-selftest-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder))
		return fault(CLI_OUTPUT, "cannot make a folder for the recordings: %s", strerror(errno));
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int code = test_in(folder, options);
	rmdir(folder);
	return code;
}

const struct command cmd_selftest = {
	.name = "selftest", .usage = "--ab COMMAND", .note = "how often noise alone fails here, and what it hides",
	.more = "Runs COMMAND (by /bin/sh) 40 times, or -n times, under record, parts the runs at random in two sides 200 times and "
		"judges each: every failure is a false alarm, for nothing changed. For CPU time and latency it also tells the "
		"smallest change that 95 of 100 verdicts would find on this machine.\n"
		"--worse runs a second command between each two, one with a known fault, judges it against the first as often, and "
		"tells how often it was found and what was named, with file and line.\n"
		"Without --budget: what is new, and CPU time of an iteration.",
	.options = OPT(AB) | OPT(WORSE) | OPT(COUNT) | OPT(BUDGET) | OPT(UNITS) | OPT(LOSSY) | OPT(JSON) | OPT(STALL) | OPT(NO_BPF) | OPT(WITHOUT),
	.run = run,
};
