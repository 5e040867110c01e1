/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE 64

static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

/* ---- the server, in a process of its own ---- */

struct server {
	pid_t pid;
	const char *path;
	int port;
};

static int ready_fd;

static void say_ready(int port)
{
	if (write(ready_fd, &port, sizeof(port)) != sizeof(port))
		_exit(1);
}

int listen_on(const char *path, int *port)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	int one = 1, fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (path)
		strncpy(local.sun_path, path, sizeof(local.sun_path) - 1);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, path ? (struct sockaddr *)&local : (struct sockaddr *)&address, path ? sizeof(local) : bytes) ||
	    listen(fd, 4096))
		abort();
	*port = 0;
	if (!path && !getsockname(fd, (struct sockaddr *)&address, &bytes))
		*port = ntohs(address.sin_port);
	return fd;
}

static struct server start(const struct contender *contender, const char *path, int is_http)
{
	struct server server = { .path = path };
	int pair[2];

	if (path)
		unlink(path);
	if (pipe(pair))
		abort();
	server.pid = fork();
	if (!server.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ready_fd = pair[1];
		if (is_http)
			contender->http(say_ready);
		else
			contender->echo(path, say_ready);
		_exit(1);
	}
	close(pair[1]);
	if (read(pair[0], &server.port, sizeof(server.port)) != sizeof(server.port))
		abort();
	close(pair[0]);
	return server;
}

void server_reap(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void stop(const struct server *server)
{
	server_reap(server->pid);
	if (server->path)
		unlink(server->path);
}

static long status_of(const struct server *server, const char *key)
{
	char path[64], line[256];
	long value = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", server->pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			value = atol(line + strlen(key));
	if (file)
		fclose(file);
	return value;
}

/* What all its threads have spent, as the scheduler counts it. */
static double cpu_of(const struct server *server)
{
	char path[96], line[128];
	double sum = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", server->pid);
	DIR *dir = opendir(path);
	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", server->pid, entry->d_name);
		FILE *file = fopen(path, "r");
		if (file && fgets(line, sizeof(line), file))
			sum += strtod(line, NULL);
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* ---- connections ---- */

static int connect_to(const struct server *server)
{
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)server->port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(server->path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (server->path)
		strncpy(local.sun_path, server->path, sizeof(local.sun_path) - 1);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fd < 0 || connect(fd, server->path ? (struct sockaddr *)&local : (struct sockaddr *)&address,
			      server->path ? sizeof(local) : sizeof(address)))
		abort();
	return fd;
}

static void ask(int fd, int is_http)
{
	static const char message[MESSAGE];
	size_t bytes = is_http ? sizeof(request) - 1 : MESSAGE;

	if (send(fd, is_http ? request : message, bytes, 0) != (ssize_t)bytes)
		abort();
}

static void hear(int fd, int is_http)
{
	char back[1024];
	size_t got = 0;

	do {
		ssize_t n = recv(fd, back + got, sizeof(back) - got, 0);
		if (n <= 0)
			abort();
		got += (size_t)n;
	} while (is_http ? got < 8 || memcmp(back + got - 6, "hello\n", 6) != 0 : got < MESSAGE);
}

struct result client_talk(const struct contender *contender, const char *path, int is_http, int connections,
			  int messages)
{
	struct server server = start(contender, path, is_http);
	int *fds = malloc((size_t)connections * sizeof(*fds));
	struct result result = { 0 };

	fds[0] = connect_to(&server);
	ask(fds[0], is_http);
	hear(fds[0], is_http);
	long before = status_of(&server, "VmRSS:");
	for (int i = 1; i < connections; i++)
		fds[i] = connect_to(&server);
	/* the last one in the queue was accepted when it is answered */
	ask(fds[connections - 1], is_http);
	hear(fds[connections - 1], is_http);
	if (connections >= 100) {
		wait_ms(50);
		result.connection_bytes = (double)(status_of(&server, "VmRSS:") - before) * 1024 / connections;
	}
	result.threads = (int)status_of(&server, "Threads:");
	double cpu = cpu_of(&server), begin = seconds_now();
	for (int message = 0; message < messages; message++) {
		for (int i = 0; i < connections; i++)
			ask(fds[i], is_http);
		for (int i = 0; i < connections; i++)
			hear(fds[i], is_http);
	}
	result.per_second = (double)messages * connections / (seconds_now() - begin);
	result.cpu_ns = (cpu_of(&server) - cpu) / messages / connections;
	for (int i = 0; i < connections; i++)
		close(fds[i]);
	free(fds);
	stop(&server);
	return result;
}

struct result client_accepts(const struct contender *contender, int times)
{
	struct server server = start(contender, NULL, 0);
	struct linger hard = { 1, 0 }; /* no TIME_WAIT is left for the next contender */
	double begin = seconds_now();

	for (int i = 0; i < times; i++) {
		int fd = connect_to(&server);
		ask(fd, 0);
		hear(fd, 0);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(fd);
	}
	struct result result = { .per_second = times / (seconds_now() - begin) };
	stop(&server);
	return result;
}
