/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Child processes of tests: started with their output thrown away, killed when
 * the test ends however it ends (PDEATHSIG), ended by pid and waited for.
 */
#ifndef CHILD_H
#define CHILD_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void child_becomes(char *const argv[], const char *folder)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (folder && chdir(folder))
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

static inline pid_t child_start(char *const argv[], const char *folder)
{
	pid_t pid = fork();
	if (!pid)
		child_becomes(argv, folder);
	return pid;
}

static inline void child_stop(pid_t pid, int sig)
{
	if (pid <= 0)
		return;
	kill(pid, sig);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static inline int child_has(const char *program)
{
	char command[256];
	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}

/* A TCP port that nobody listens on now. */
static inline int child_free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, size) || getsockname(fd, (struct sockaddr *)&address, &size))
		exit(1);
	close(fd);
	return ntohs(address.sin_port);
}

/* Waits until check(arg) is not 0, at most 15 s; returns what it said last. */
static inline int child_await(int (*check)(void *arg), void *arg)
{
	const struct timespec gap = { 0, 10000000 };
	int said = 0;
	for (int i = 0; i < 1500 && !(said = check(arg)); i++)
		nanosleep(&gap, NULL);
	return said;
}

#endif
