/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An epoll server that sleeps 50 ms per request, and two clients of its own,
 * each of which sends the next 100 bytes when it got the last ones back. Beside
 * them a pipe, which a child fills every 200 ms. Prints its PID; runs until it
 * is killed, and its children with it.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static void run_client(const struct sockaddr_in *address)
{
	char bytes[100];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(bytes, 'x', sizeof(bytes));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		_exit(1);
	while (send(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) && recv(fd, bytes, sizeof(bytes), MSG_WAITALL) > 0)
		;
	_exit(0);
}

static void run_writer(int fd)
{
	while (write(fd, "x", 1) == 1)
		sleep_ms(200);
	_exit(0);
}

static int add(int poller, int fd)
{
	struct epoll_event interest = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &interest);
}

static void serve(int poller, int listener, int input)
{
	struct epoll_event ready[8];
	int count = epoll_wait(poller, ready, 8, -1);
	char bytes[100];

	for (int i = 0; i < count; i++) {
		int fd = ready[i].data.fd;

		if (fd == listener) {
			add(poller, accept4(listener, NULL, NULL, SOCK_NONBLOCK));
		} else if (fd == input) {
			if (read(fd, bytes, 1) != 1)
				_exit(1);
		} else {
			ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

			sleep_ms(50);
			if (got <= 0 || send(fd, bytes, (size_t)got, 0) != got)
				_exit(1);
		}
	}
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0), ends[2];
	pid_t self = getpid();

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 8) || pipe(ends) ||
	    getsockname(listener, (struct sockaddr *)&address, &bytes) || add(poller, listener) || add(poller, ends[0]))
		return 1;
	for (int i = 0; i < 3; i++) {
		if (fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			return 1;
		sleep_ms(1500); /* until somebody watches */
		if (i < 2)
			run_client(&address);
		run_writer(ends[1]);
	}
	printf("%d\n", (int)self);
	fflush(stdout);
	for (;;)
		serve(poller, listener, ends[0]);
}
