/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a target. Under sudo it runs as the user who called sudo, so that
 * watching a program does not give it our rights. A failed exec is told through
 * a pipe that a successful one closes.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "invoker.h"

static int drop_rights(void)
{
	uid_t uid;
	gid_t gid;
	if (!invoker_find(&uid, &gid))
		return 0;
	struct passwd *user = getpwuid(uid);
	int err = user ? initgroups(user->pw_name, gid) : setgroups(0, NULL);
	return err || setgid(gid) || setuid(uid) ? -errno : 0;
}

static int redirect(int silent)
{
	int fd = silent ? open("/dev/null", O_RDWR) : STDERR_FILENO;
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return -errno;
	if (silent && (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0))
		return -errno;
	return 0;
}

static void become(char **argv, int silent, int report)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	int err = drop_rights();
	if (!err)
		err = redirect(silent);
	if (!err) {
		execvp(argv[0], argv);
		err = -errno;
	}
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int launch_start(struct launch *launch, char **argv, int silent)
{
	int report[2], err = 0;
	*launch = (struct launch){ 0 };
	if (pipe2(report, O_CLOEXEC))
		return -errno;
	pid_t pid = fork();
	if (!pid)
		become(argv, silent, report[1]);
	if (pid < 0)
		err = -errno;
	close(report[1]);
	if (pid > 0 && read(report[0], &err, sizeof(err)) == sizeof(err))
		waitpid(pid, NULL, 0);
	close(report[0]);
	if (!err)
		launch->pid = pid;
	return err;
}

int launch_alive(struct launch *launch)
{
	if (launch->pid > 0 && waitpid(launch->pid, &launch->status, WNOHANG) == launch->pid)
		launch->pid = 0;
	return launch->pid > 0;
}

void launch_signal(const struct launch *launch, int number)
{
	if (launch->pid > 0)
		kill(launch->pid, number);
}

void launch_stop(struct launch *launch)
{
	static const struct timespec step = { .tv_nsec = 20 * 1000 * 1000 };
	if (!launch_alive(launch))
		return;
	launch_signal(launch, SIGTERM);
	for (int i = 0; i < 100 && launch_alive(launch); i++)
		nanosleep(&step, NULL);
	if (!launch_alive(launch))
		return;
	launch_signal(launch, SIGKILL);
	waitpid(launch->pid, &launch->status, 0);
	launch->pid = 0;
}
