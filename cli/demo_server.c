/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demo's server process: HTTP on our loop, a load thread, and a pipe
 * through which the parent says which scenario to play. It ends when the pipe
 * does, and the kernel kills it when the parent dies.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 12

static uint16_t chosen_port;

uint16_t demo_port(void)
{
	return chosen_port;
}

struct service {
	struct ps_loop *loop;
	struct ps_http_server *http;
	struct ps_io *control;
	struct demo_load *load;
	int scenario;
};

void demo_serve_hello(struct ps_http_request *request, void *arg)
{
	static const char hello[] = "hello\n";
	ps_http_reply(request, 200, "text/plain", hello, sizeof(hello) - 1);
}

static void play(struct service *service, int scenario)
{
	const struct demo_scenario *now = &demo_scenarios[service->scenario], *next = &demo_scenarios[scenario];
	if (scenario == service->scenario)
		return;
	if (now->stop)
		now->stop();
	service->scenario = scenario;
	if (next->start && next->start(service->loop))
		_exit(1);
}

static void on_control(struct ps_io *io, uint32_t events, void *arg)
{
	struct service *service = arg;
	unsigned char scenario;
	ssize_t got = read(ps_io_fd(io), &scenario, 1);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got != 1)
		_exit(0);
	play(service, scenario);
}

static int open_service(struct service *service, int control)
{
	const struct ps_loop_options options = { .size = sizeof(options), .name = "demo" };
	int err = ps_loop_open(&service->loop, &options);
	if (!err)
		err = ps_http_listen(service->loop, &service->http, "127.0.0.1", chosen_port, NULL, demo_serve_hello, service);
	if (!err)
		err = ps_io_open(service->loop, &service->control, control, on_control, service);
	if (!err)
		err = ps_io_start(service->control, PS_READABLE);
	if (!err)
		err = demo_load_start(&service->load, ps_http_port(service->http), CLIENTS);
	return err;
}

/* What the parent gets to read once: an error, or the port */
struct answer {
	int err;
	uint16_t port;
};

static void serve(int control, int report, int scenario)
{
	struct service service = { 0 };
	struct answer answer = { 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd); /* the terminal is the dashboard's */
	signal(SIGINT, SIG_IGN); /* Ctrl-C is the parent's; our end is the pipe's */
	prctl(PR_SET_NAME, "demo-server");
	fcntl(control, F_SETFL, O_NONBLOCK);
	answer.err = open_service(&service, control);
	if (!answer.err)
		answer.port = ps_http_port(service.http);
	if (write(report, &answer, sizeof(answer)) != sizeof(answer) || answer.err)
		_exit(1);
	close(report);
	play(&service, scenario);
	ps_loop_run(service.loop, PS_RUN_DEFAULT);
	_exit(0);
}

static void begin_child(pid_t parent, const int control[2], const int report[2], int scenario)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	close(control[1]);
	close(report[0]);
	serve(control[0], report[1], scenario);
}

int demo_server_start(struct demo_server *server, int scenario, uint16_t port)
{
	int control[2], report[2];
	struct answer answer = { .err = -ECHILD };
	*server = (struct demo_server){ .control = -1 };
	if (pipe2(control, O_CLOEXEC))
		return -errno;
	if (pipe2(report, O_CLOEXEC)) {
		int err = -errno;
		close(control[0]);
		close(control[1]);
		return err;
	}
	chosen_port = port;
	pid_t parent = getpid(), pid = fork();
	if (!pid)
		begin_child(parent, control, report, scenario);
	if (pid < 0)
		answer.err = -errno;
	close(control[0]);
	close(report[1]);
	server->pid = pid > 0 ? pid : 0;
	server->control = control[1];
	if (pid > 0 && read(report[0], &answer, sizeof(answer)) != sizeof(answer))
		answer.err = -ECHILD;
	close(report[0]);
	server->port = answer.port;
	if (answer.err)
		demo_server_stop(server);
	return answer.err;
}

int demo_server_switch(const struct demo_server *server, int scenario)
{
	unsigned char byte = (unsigned char)scenario;
	return write(server->control, &byte, 1) == 1 ? 0 : -errno;
}

void demo_server_stop(struct demo_server *server)
{
	if (server->control >= 0)
		close(server->control);
	server->control = -1;
	if (server->pid <= 0)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}
