/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pollscope serve: the metrics of a watch for Prometheus, over HTTP or as a
 * file for node_exporter's textfile collector. Both print the same model; the
 * file is written beside its place and renamed, so a reader never sees half of
 * one, and it goes when we go: a stale figure is worse than none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "fault.h"
#include "metrics.h"
#include "scrape.h"
#include "watch.h"

#define TEXTFILE_SECONDS 5

struct serve {
	struct watch watch;
	struct scrape scrape;
	const char *textfile;
	uint64_t seconds;
};

/* ---- the file ---- */

static int write_metrics(const struct model *model, int fd)
{
	FILE *out = fdopen(fd, "w");
	if (!out) {
		int err = -errno;
		close(fd);
		return err;
	}
	int err = metrics_print(model, METRICS_TEXT, 0, COMMAND_TOOL, out);
	if (!err && (fflush(out) || fsync(fileno(out))))
		err = -errno;
	if (fclose(out) && !err)
		err = -errno;
	return err;
}

static int write_textfile(const struct model *model, const char *name)
{
	char temporary[PATH_MAX];
	/* node_exporter reads what ends in .prom: the unfinished one must not */
	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", name) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	int fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int err = fchmod(fd, 0644) ? -errno : 0; /* its reader is another user */
	int wrote = write_metrics(model, fd);
	err = err ? err : wrote;
	if (!err && rename(temporary, name))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

static void put_textfile(struct serve *serve)
{
	int err = write_textfile(serve->watch.model, serve->textfile);
	if (!err)
		return;
	serve->watch.code = fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", serve->textfile, strerror(-err));
	watch_stop(&serve->watch, WATCH_FAILED);
}

static void each_second(struct watch *watch, void *arg)
{
	struct serve *serve = arg;
	if (serve->textfile && serve->seconds++ % TEXTFILE_SECONDS == 0)
		put_textfile(serve);
}

/* ---- the command ---- */

static int listen_on(struct serve *serve, const struct options *options)
{
	const char *address = options->listen ? options->listen : "127.0.0.1:9464";
	char host[64];
	uint16_t port;
	if (serve->textfile && !options->listen)
		return 0;
	if (scrape_address(address, host, &port))
		return fault(CLI_USAGE, "--listen wants an address and a port, such as 127.0.0.1:9464, not \"%s\"", address);
	int err = scrape_open(&serve->scrape, serve->watch.loop, host, port);
	if (err)
		return fault(CLI_OUTPUT, "cannot listen on %s: %s", address, strerror(-err));
	say("metrics at http://%s%s%s:%u/metrics", strchr(host, ':') ? "[" : "", host, strchr(host, ':') ? "]" : "",
	    ps_http_port(serve->scrape.server));
	return 0;
}

static int run(const struct options *options)
{
	struct serve serve = { .watch = { .from_now = 1 }, .textfile = options->textfile };
	struct options quiet = *options;
	quiet.ready_fd = -1; /* ready is: attached, and listening */
	serve.watch.each_second = each_second;
	serve.watch.arg = &serve;
	int code = watch_open(&serve.watch, &quiet, NULL);
	serve.scrape.model = serve.watch.model;
	if (!code)
		code = listen_on(&serve, options);
	if (!code && serve.textfile)
		put_textfile(&serve);
	if (!code && options->ready_fd >= 0 && write(options->ready_fd, "\n", 1) != 1)
		say("nobody listens on --ready-fd %d", options->ready_fd);
	if (!code && serve.watch.end == WATCH_FAILED)
		code = serve.watch.code;
	else if (!code)
		code = watch_run(&serve.watch);
	scrape_close(&serve.scrape);
	int finished = serve.watch.model ? watch_finish(&serve.watch) : 0;
	if (serve.textfile && !code)
		unlink(serve.textfile);
	watch_close(&serve.watch);
	return code ? code : finished;
}

const struct command cmd_serve = {
	.name = "serve", .usage = "TARGET", .note = "metrics for Prometheus, over HTTP or as a file",
	.more = "Watches until the target ends, -d is over or a signal comes, and answers GET /metrics with Prometheus text or "
		"OpenMetrics, as the scraper asks. With --textfile the same goes to a file every 5 seconds, for node_exporter; it is "
		"replaced at once and removed at the end.\n"
		"docs/metrics.md lists the families, examples/ has a dashboard for Grafana, alerts and a systemd unit.",
	.options = OPT_TARGET | OPT(LISTEN) | OPT(TEXTFILE), .fewest = 1, .most = 1, .launches = 1, .run = run,
};
