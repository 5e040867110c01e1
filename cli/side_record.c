/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts `record` as a child. It gets SIGINT to end, as a user would do it, and dies with us. */
#include "side_record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "schema.h"
#include "text.h"

#define MOST_ARGUMENTS 64

static void make_name(struct side_record *record, pid_t target)
{
	char clock[32] = "";
	time_t now = time(NULL);
	struct tm local;
	if (localtime_r(&now, &local))
		strftime(clock, sizeof(clock), "%Y%m%d-%H%M%S", &local);
	snprintf(record->name, sizeof(record->name), "pollscope-%d-%s.psr", (int)target, clock);
}

/* record takes one target: the first process, and with --follow or --all its like */
static void fill_arguments(char **arguments, const struct side_record *record, const struct options *options,
			   char *target, char *stall)
{
	size_t count = 0;
	arguments[count++] = "pollscope";
	arguments[count++] = "record";
	arguments[count++] = "-q";
	arguments[count++] = "-o";
	arguments[count++] = (char *)record->name;
	if (options->no_bpf)
		arguments[count++] = "--no-bpf";
	if (options->follow)
		arguments[count++] = "--follow";
	if (options->stall_ns) {
		arguments[count++] = "--stall";
		arguments[count++] = stall;
	}
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++) {
		if (!(options->without >> group & 1))
			continue;
		arguments[count++] = "--without";
		arguments[count++] = (char *)probe_group_name(group);
	}
	arguments[count++] = options->all ? "--all" : target;
	arguments[count] = NULL;
}

static void run_child(char **arguments, const int words[2])
{
	struct sigaction normal = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	prctl(PR_SET_PDEATHSIG, SIGINT);
	setpgid(0, 0); /* Ctrl-C is the dashboard's */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &normal, NULL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(words[1], STDERR_FILENO);
	execv("/proc/self/exe", arguments);
	_exit(127);
}

static int start(struct side_record *record, const struct options *options, pid_t pid)
{
	char *arguments[MOST_ARGUMENTS], target[16], stall[32];
	int words[2];
	make_name(record, pid);
	snprintf(target, sizeof(target), "%d", (int)pid);
	snprintf(stall, sizeof(stall), "%lluus", (unsigned long long)(options->stall_ns / 1000));
	fill_arguments(arguments, record, options, target, stall);
	if (pipe2(words, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	record->pid = fork();
	if (!record->pid)
		run_child(arguments, words);
	int err = record->pid < 0 ? -errno : 0;
	close(words[1]);
	record->words = words[0];
	if (err) {
		close(words[0]);
		record->pid = 0;
	}
	return err;
}

/* the last line it said, cleaned */
static void take_words(struct side_record *record, char *out, size_t room)
{
	char text[512];
	ssize_t bytes = read(record->words, text, sizeof(text) - 1);
	close(record->words);
	*out = '\0';
	if (bytes <= 0)
		return;
	size_t length = (size_t)bytes;
	while (length && text[length - 1] == '\n')
		length--;
	text_clean(out, room, text, length);
}

void side_record_stop(struct side_record *record)
{
	if (!record->pid)
		return;
	kill(record->pid, SIGINT);
	while (waitpid(record->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(record->words);
	record->pid = record->ending = 0;
}

/* The dashboard must not stand still while the child takes its probes off. */
static void end_softly(struct side_record *record, char *said, size_t room)
{
	const struct timespec moment = { 0, 10000000 };
	if (!record->ending)
		kill(record->pid, SIGINT);
	record->ending = 1;
	for (int i = 0; i < 10 && record->pid; i++) {
		nanosleep(&moment, NULL);
		if (waitpid(record->pid, NULL, WNOHANG) != record->pid)
			continue;
		close(record->words);
		record->pid = record->ending = 0;
	}
	snprintf(said, room, record->pid ? "ending %s: it is whole when rec:off is shown" : "recorded to %s", record->name);
}

void side_record_toggle(struct side_record *record, const struct options *options, const pid_t *pids, size_t count,
			char *said, size_t room)
{
	if (record->pid) {
		end_softly(record, said, room);
		return;
	}
	int err = count ? start(record, options, pids[0]) : -ESRCH;
	if (err)
		snprintf(said, room, "cannot record: %s", strerror(-err));
	else
		snprintf(said, room, "recording to %s", record->name);
}

void side_record_status(struct side_record *record, char *out, size_t room)
{
	char words[128];
	if (record->pid && waitpid(record->pid, NULL, WNOHANG) == record->pid) {
		int ended = record->ending;
		take_words(record, words, sizeof(words));
		record->pid = record->ending = 0;
		if (ended) {
			snprintf(out, room, "rec:off");
			return;
		}
		snprintf(out, room, "rec ended%s%s", *words ? ": " : "", words);
		return;
	}
	snprintf(out, room, "rec:%s%s", record->pid ? record->name : "off", record->ending ? " ending" : "");
}
