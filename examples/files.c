/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An HTTP server of files below a directory; every file is read by the pool,
 * never by the loop. Ends on SIGTERM.   files DIRECTORY [PORT]
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ps_loop.h>

#define FILE_BYTES 65536 /* of a file that is served */

struct get {
	struct ps_http_request *request;
	int fd;
	char data[FILE_BYTES];
};

static struct ps_loop *loop;
static struct ps_http_server *server;
static const char *directory;

static void finish(struct get *get, int status, size_t bytes)
{
	ps_http_reply(get->request, status, "application/octet-stream", get->data, bytes);
	free(get);
}

static void closed(struct ps_work *work, int64_t result, void *arg)
{
}

static void have_read(struct ps_work *work, int64_t result, void *arg)
{
	struct get *get = arg;

	if (ps_fs_close(loop, get->fd, closed, NULL))
		fprintf(stderr, "files: cannot close\n");
	finish(get, result < 0 ? 500 : 200, result < 0 ? 0 : (size_t)result);
}

static void have_opened(struct ps_work *work, int64_t result, void *arg)
{
	struct get *get = arg;

	get->fd = (int)result;
	if (result < 0 || ps_fs_read(loop, get->fd, get->data, sizeof(get->data), 0, have_read, get))
		finish(get, 404, 0);
}

static void handle(struct ps_http_request *request, void *arg)
{
	struct get *get = malloc(sizeof(*get));
	const char *path = ps_http_path(request);
	char full[PATH_MAX];

	if (!get || *path != '/' || strstr(path, "..") ||
	    (size_t)snprintf(full, sizeof(full), "%s%s", directory, path) >= sizeof(full)) {
		free(get);
		ps_http_reply(request, 400, NULL, NULL, 0);
		return;
	}
	get->request = request;
	if (ps_fs_open(loop, full, O_RDONLY | O_NOFOLLOW, 0, have_opened, get))
		finish(get, 503, 0);
}

static void stop(struct ps_signal *signal, int number, void *arg)
{
	ps_signal_close(signal);
	ps_http_close(server);
}

int main(int argc, char **argv)
{
	struct ps_signal *terminated;

	if (argc < 2)
		return 2;
	directory = argv[1];
	if (ps_loop_open(&loop, NULL) || ps_signal_open(loop, &terminated, SIGTERM, stop, NULL) ||
	    ps_http_listen(loop, &server, "127.0.0.1", argc > 2 ? (uint16_t)atoi(argv[2]) : 0, NULL, handle, NULL))
		return 1;
	printf("%d\n", ps_http_port(server));
	fflush(stdout);
	ps_loop_run(loop, PS_RUN_DEFAULT);
	return ps_loop_close(loop) ? 1 : 0;
}
