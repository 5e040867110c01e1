/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options table and its reader. Everything an option is stands in one row;
 * `take` checks and stores the value.
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "fault.h"
#include "ps_event.h"
#include "schema.h"
#include "text.h"

#define FLAG(field) \
	static int take_##field(struct options *options, const char *text) \
	{ \
		options->field = 1; \
		return 0; \
	}
FLAG(all)
FLAG(follow)
FLAG(json)
FLAG(jsonl)
FLAG(force)
FLAG(lossy)
FLAG(no_bpf)
FLAG(exact_phases)
FLAG(init)
FLAG(github)
FLAG(ascii)
FLAG(quiet)
FLAG(help)
FLAG(version)

#define TEXT(field) \
	static int take_##field(struct options *options, const char *text) \
	{ \
		options->field = text; \
		return *text ? 0 : -EINVAL; \
	}
TEXT(output)
TEXT(budget)
TEXT(junit)
TEXT(markdown)
TEXT(benchmark)
TEXT(ab)
TEXT(worse)
TEXT(listen)
TEXT(textfile)
TEXT(filter)

static int take_stall(struct options *options, const char *text)
{
	return text_parse_duration(text, &options->stall_ns) || !options->stall_ns ? -EINVAL : 0;
}

static int take_duration(struct options *options, const char *text)
{
	return text_parse_duration(text, &options->duration_ns) || !options->duration_ns ? -EINVAL : 0;
}

static int take_ring(struct options *options, const char *text)
{
	return text_parse_duration(text, &options->ring_ns) || !options->ring_ns ? -EINVAL : 0;
}

static int take_on_stall(struct options *options, const char *text)
{
	return text_parse_duration(text, &options->on_stall_ns) || !options->on_stall_ns ? -EINVAL : 0;
}

/* "m" is minutes and "M" mebibytes: what is a time is none of the sizes */
static int take_rotate(struct options *options, const char *text)
{
	uint64_t value = 0;
	if (!text_parse_duration(text, &value))
		options->rotate_ns = value;
	else if (!text_parse_size(text, &value))
		options->rotate_bytes = value;
	else
		return -EINVAL;
	return value ? 0 : -EINVAL;
}

static int parse_count(const char *text, uint64_t *count)
{
	char *end;
	errno = 0;
	*count = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno || !*count ? -EINVAL : 0;
}

static int take_keep(struct options *options, const char *text)
{
	return parse_count(text, &options->keep);
}

static int take_count(struct options *options, const char *text)
{
	return parse_count(text, &options->count);
}

static int take_baseline(struct options *options, const char *text)
{
	if (!*text || options->baseline_count == OPTION_BASELINES)
		return -EINVAL;
	options->baseline[options->baseline_count++] = text;
	return 0;
}

static int take_units(struct options *options, const char *text)
{
	char *end;
	options->units = strtod(text, &end);
	return end == text || *end || !(options->units > 0 && options->units < 1e18) ? -EINVAL : 0;
}

static int take_to(struct options *options, const char *text)
{
	options->to = text;
	return exporter_find(text) ? 0 : -EINVAL;
}

static int take_inconclusive(struct options *options, const char *text)
{
	static const char *const names[] = { "exit", "fail", "pass", "report" };
	for (int i = 0; i < 4; i++) {
		if (!strcmp(text, names[i])) {
			options->inconclusive = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int take_color(struct options *options, const char *text)
{
	static const char *const names[] = { "auto", "always", "never" };
	options->color = WHEN_ALWAYS;
	for (int i = 0; text && i < 4; i++) {
		if (i == 3)
			return -EINVAL;
		options->color = i;
		if (!strcmp(text, names[i]))
			break;
	}
	return 0;
}

static int take_without(struct options *options, const char *text)
{
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++) {
		if (!strcmp(text, probe_group_name(group))) {
			options->without |= 1u << group;
			return 0;
		}
	}
	return -EINVAL;
}

static int take_ready_fd(struct options *options, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || fd > 1 << 20 || fcntl((int)fd, F_GETFD) < 0)
		return -EINVAL;
	options->ready_fd = (int)fd;
	return 0;
}

static int take_port(struct options *options, const char *text)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);
	options->port = (uint16_t)port;
	return *text < '0' || *text > '9' || *end || !port || port > 65535 ? -EINVAL : 0;
}

static void put_exporters(FILE *out)
{
	for (size_t i = 0; exporters[i]; i++)
		fprintf(out, "%s\n", exporters[i]->name);
}

static void put_groups(FILE *out)
{
	for (unsigned group = 0; group < PS_PROBE_GROUP_COUNT; group++)
		fprintf(out, "%s\n", probe_group_name(group));
}

static void put_whens(FILE *out)
{
	fputs("auto\nalways\nnever\n", out);
}

static void put_inconclusives(FILE *out)
{
	fputs("exit\nfail\npass\nreport\n", out);
}

#define ROW(id) [OPTION_##id] = { OPTION_##id
const struct option_row option_rows[OPTION_COUNT_OF] = {
	ROW(ALL), 'a', "all", NULL, "watch every loop that may be seen", NULL, take_all },
	ROW(FOLLOW), 0, "follow", NULL, "watch its children too, also those that come later", NULL, take_follow },
	ROW(STALL), 's', "stall", "TIME", "a busy slice at least this long is a stall (default 50ms)",
		"a duration such as 50ms", take_stall },
	ROW(DURATION), 'd', "duration", "TIME", "end after this time", "a duration such as 5s", take_duration },
	ROW(COUNT), 'n', "count", "N", "end after N pictures, lines or (record) events", "a number above 0", take_count },
	ROW(JSON), 'j', "json", NULL, "one JSON document", NULL, take_json },
	ROW(JSONL), 0, "jsonl", NULL, "a JSON document of everything so far on a line, each second", NULL, take_jsonl },
	ROW(OUTPUT), 'o', "output", "FILE", "write to FILE, which must not exist (- is standard output)", "a file name",
		take_output },
	ROW(FORCE), 'f', "force", NULL, "replace an existing output file", NULL, take_force },
	ROW(TO), 't', "to", "FORMAT", "the format to export to", "a known format (see pollscope help export)", take_to,
		put_exporters },
	ROW(BUDGET), 'b', "budget", "FILE", "the budgets to judge by (YAML)", "a file name", take_budget },
	ROW(JUNIT), 0, "junit", "FILE", "write the results as JUnit XML too", "a file name", take_junit },
	ROW(INCONCLUSIVE), 0, "inconclusive", "HOW", "too little or lossy data: exit (3, default), fail (1), pass or report (0)",
		"exit, fail, pass or report", take_inconclusive, put_inconclusives },
	ROW(LOSSY), 0, "lossy", NULL, "judge in spite of lost events", NULL, take_lossy },
	ROW(RING), 0, "ring", "TIME", "keep only the last TIME, in memory; write it on SIGUSR1 and at the end",
		"a duration such as 30s", take_ring },
	ROW(ON_STALL), 0, "on-stall", "TIME", "and write it when a stall is at least this long (implies --ring 30s)",
		"a duration such as 100ms", take_on_stall },
	ROW(ROTATE), 0, "rotate", "LIMIT", "go on in another file at this size or time (may be given for both)",
		"a size such as 64MiB or a duration such as 10m", take_rotate },
	ROW(KEEP), 0, "keep", "N", "keep the newest N files of --rotate or --ring", "a number above 0", take_keep },
	ROW(NO_BPF), 0, "no-bpf", NULL, "load no BPF programs: flight recorders and /proc only", NULL, take_no_bpf },
	ROW(EXACT_PHASES), 0, "exact-phases", NULL, "phases of libuv loops by probes, at a cost, not by samples", NULL,
		take_exact_phases },
	ROW(WITHOUT), 0, "without", "GROUP", "leave a group of probes out (may be repeated)",
		"one of poll, sched, sampling, runtime, ready, ring, snapshot, proc, poller, unwind", take_without, put_groups },
	ROW(COLOR), 0, "color", "[WHEN]", "auto, always or never; NO_COLOR in the environment means never",
		"auto, always or never", take_color, put_whens },
	ROW(ASCII), 0, "ascii", NULL, "draw with ASCII only", NULL, take_ascii },
	ROW(FILTER), 0, "filter", "TERMS", "show only rows that match, such as \"lag:>10ms kind:tcp !name:/health/\"", "terms of a filter",
		take_filter },
	ROW(READY_FD), 0, "ready-fd", "N", "write a byte to descriptor N when attached", "an open descriptor",
		take_ready_fd },
	ROW(PORT), 0, "port", "N", "serve on this port, also to clients of your own", "a port number", take_port },
	ROW(BASELINE), 0, "baseline", "FILE", "compare with this recording, summary or folder of them (may be repeated)",
		"a file or a folder", take_baseline },
	ROW(UNITS), 0, "units", "N", "units of work that each run did, for metrics per unit", "a number above 0", take_units },
	ROW(INIT), 0, "init", NULL, "write a first budget from a recording, with its reasons", NULL, take_init },
	ROW(GITHUB), 0, "github", NULL, "annotations for GitHub Actions (by itself where GITHUB_ACTIONS=true)", NULL, take_github },
	ROW(MARKDOWN), 0, "markdown", "FILE", "write the results as a Markdown table too; appends to $GITHUB_STEP_SUMMARY", "a file name",
		take_markdown },
	ROW(BENCHMARK), 0, "benchmark", "FILE", "write the figures for github-action-benchmark too (customSmallerIsBetter)",
		"a file name", take_benchmark },
	ROW(AB), 0, "ab", "COMMAND", "the command that is run again and again, by /bin/sh", "a command", take_ab },
	ROW(WORSE), 0, "worse", "COMMAND", "the same with a fault: how often it is found, and what is named", "a command", take_worse },
	ROW(LISTEN), 0, "listen", "ADDRESS", "where to answer scrapers (default 127.0.0.1:9464; port 0 = any)",
		"an address and a port", take_listen },
	ROW(TEXTFILE), 0, "textfile", "FILE", "write the metrics to FILE instead, every 5 seconds", "a file name", take_textfile },
	ROW(QUIET), 'q', "quiet", NULL, "errors only, no other words", NULL, take_quiet },
	ROW(HELP), 'h', "help", NULL, "show help", NULL, take_help },
	ROW(VERSION), 'V', "version", NULL, "show the version", NULL, take_version },
};

/* getopt's two forms of the rows in `allowed`; val is the letter, or 256 + id without one */
static void fill_getopt(uint64_t allowed, char *letters, struct option *longs)
{
	*letters++ = ':';
	for (int i = 0; i < OPTION_COUNT_OF; i++) {
		const struct option_row *row = &option_rows[i];
		if (!(allowed & 1ull << i))
			continue;
		int argument = !row->argument ? no_argument : *row->argument == '[' ? optional_argument : required_argument;
		*longs++ = (struct option){ row->name, argument, NULL, 256 + i };
		if (row->letter) {
			*letters++ = row->letter;
			if (row->argument)
				*letters++ = ':';
		}
	}
	*letters = 0;
	*longs = (struct option){ 0 };
}

static const struct option_row *row_of(int value)
{
	if (value >= 256 && value < 256 + OPTION_COUNT_OF)
		return &option_rows[value - 256];
	for (int i = 0; i < OPTION_COUNT_OF; i++)
		if (option_rows[i].letter == value)
			return &option_rows[i];
	return NULL;
}

static int refuse_unknown(uint64_t allowed, const char *command, const char *word, int letter)
{
	const char *names[OPTION_COUNT_OF + 1] = { NULL };
	size_t count = 0;
	for (int i = 0; i < OPTION_COUNT_OF; i++)
		if (allowed & 1ull << i)
			names[count++] = option_rows[i].name;
	char given[64];
	if (letter)
		snprintf(given, sizeof(given), "-%c", letter);
	else
		snprintf(given, sizeof(given), "%.*s", (int)strcspn(word, "="), word);
	const char *near = letter ? NULL : text_nearest(given + strspn(given, "-"), names);
	return fault(CLI_USAGE, "%s has no option %s%s%s; see pollscope help %s", command, given,
		     near ? "; did you mean --" : "", near ? near : "", command);
}

/* "-- COMMAND ARGS…" is taken off the end before getopt may permute it away */
static int cut_launch(struct options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--")) {
			options->launch = argv + i + 1;
			argv[i] = NULL;
			return i;
		}
	}
	return argc;
}

int options_read(struct options *options, uint64_t allowed, const char *command, int argc, char **argv)
{
	char letters[2 * OPTION_COUNT_OF + 2];
	struct option longs[OPTION_COUNT_OF + 1];
	memset(options, 0, sizeof(*options));
	options->ready_fd = -1;
	argc = cut_launch(options, argc, argv);
	fill_getopt(allowed, letters, longs);
	opterr = 0;
	optind = 0; /* begin anew, also for glibc's hidden state */
	for (int value; (value = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
		const struct option_row *row = row_of(value == ':' ? optopt : value);
		if (value == '?' && optopt >= 256 && (row = row_of(optopt)))
			return fault(CLI_USAGE, "--%s takes no value", row->name);
		if (value == '?')
			return refuse_unknown(allowed, command, argv[optind - 1], optopt);
		if (value == ':')
			return fault(CLI_USAGE, "--%s wants %s", row->name, row->expects);
		if (row->take(options, optarg))
			return fault(CLI_USAGE, "--%s wants %s, not \"%s\"", row->name, row->expects, optarg);
	}
	options->operands = argv + optind;
	options->operand_count = argc - optind;
	say_nothing(options->quiet);
	return 0;
}
