/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts a target. Under sudo it runs as the user who called sudo, so that
 * watching a program does not give it our rights. The child waits for a word
 * before it becomes the command, so that the probes see its first moment; a
 * failed exec is told through a pipe that a successful one closes.
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

static void become(char **argv, int silent, int go, int report)
{
	sigset_t none;
	char word;
	if (read(go, &word, 1) != 1) /* whoever forked us has gone, or thinks better of it */
		_exit(127);
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
	int report[2], go[2];
	*launch = (struct launch){ .go = -1, .report = -1 };
	if (pipe2(report, O_CLOEXEC))
		return -errno;
	if (pipe2(go, O_CLOEXEC)) {
		int err = -errno;
		close(report[0]);
		close(report[1]);
		return err;
	}
	pid_t pid = fork();
	if (!pid) {
		close(go[1]);
		become(argv, silent, go[0], report[1]);
	}
	int err = pid < 0 ? -errno : 0;
	close(go[0]);
	close(report[1]);
	launch->go = go[1];
	launch->report = report[0];
	launch->pid = pid > 0 ? pid : 0;
	return err;
}

static void close_pipes(struct launch *launch)
{
	if (launch->pid <= 0 && launch->go <= 0)
		return; /* never started */
	if (launch->go >= 0)
		close(launch->go);
	if (launch->report >= 0)
		close(launch->report);
	launch->go = launch->report = -1;
}

int launch_release(struct launch *launch)
{
	int err = write(launch->go, "!", 1) == 1 ? 0 : -errno;
	if (!err && read(launch->report, &err, sizeof(err)) != sizeof(err))
		err = 0; /* a successful exec closes it */
	close_pipes(launch);
	if (err) {
		waitpid(launch->pid, NULL, 0);
		launch->pid = 0;
	}
	return err;
}

int launch_alive(struct launch *launch)
{
	siginfo_t info = { 0 };
	if (launch->pid <= 0)
		return 0;
	return waitid(P_PID, (id_t)launch->pid, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid;
}

static void reap(struct launch *launch)
{
	waitpid(launch->pid, &launch->status, 0);
	launch->pid = 0;
}

void launch_signal(const struct launch *launch, int number)
{
	if (launch->pid > 0)
		kill(launch->pid, number);
}

void launch_stop(struct launch *launch)
{
	static const struct timespec step = { .tv_nsec = 20 * 1000 * 1000 };
	close_pipes(launch);
	if (launch->pid <= 0)
		return;
	if (launch_alive(launch))
		launch_signal(launch, SIGTERM);
	for (int i = 0; i < 100 && launch_alive(launch); i++)
		nanosleep(&step, NULL);
	if (launch_alive(launch))
		launch_signal(launch, SIGKILL);
	reap(launch);
}
