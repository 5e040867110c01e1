/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding loops: in real programs, in this process, and where there are none. */
#include "test.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <poll.h>

#include "attach.h"
#include "child.h"
#include "ps_ring.h"

static struct loop_found *loops;

/* ---- what a test waits for ---- */

struct wanted {
	pid_t pid;
	int count;       /* at least so many loops */
	pid_t tid;       /* one of them on this thread with … */
	uint32_t fds;    /* … at least so many descriptors */
};

static int is_found(void *arg)
{
	const struct wanted *wanted = arg;
	free(loops);
	int count = attach_find_loops(&loops, wanted->pid);
	if (count < wanted->count)
		return 0;
	for (int i = 0; i < count; i++)
		if (!wanted->tid || (loops[i].tid == wanted->tid && loops[i].fds >= wanted->fds))
			return count;
	return 0;
}

static const struct loop_found *loop_of(int count, pid_t tid)
{
	for (int i = 0; i < count; i++)
		if (loops[i].tid == tid)
			return &loops[i];
	return NULL;
}

/* Its descriptors are listed before its threads are asked: a process that starts meanwhile shows the one without the other. */
static int is_found_with_ring(void *arg)
{
	int count = is_found(arg);
	return count && loops[0].has_ring ? count : 0;
}

/* … and may be named before exec(), with descriptors of after it. */
static int is_found_and_named(void *arg)
{
	int count = is_found(arg);
	return count && strcmp(loops[0].runtime, "generic") ? count : 0;
}

static int is_found_busy(void *arg)
{
	const struct wanted *wanted = arg;
	int count = is_found(arg);
	const struct loop_found *loop = count ? loop_of(count, wanted->tid) : NULL;
	return loop && strstr(loop->can_see, "busy now") ? count : 0;
}

static void need(const char *program)
{
	if (!child_has(program))
		SKIP("%s is not installed", program);
}

TEST(node_has_its_main_loop_and_the_platforms)
{
	need("node");
	pid_t pid = child_start((char *[]){ "node", "-e", "require('http').createServer(()=>{}).listen(0,'127.0.0.1')", NULL }, NULL);
	int count = child_await(is_found_and_named, &(struct wanted){ pid, 2, pid, 3 });
	assert_int_equal(count, 2); /* the third epoll descriptor is idle: nobody waits on it */
	const struct loop_found *main_loop = loop_of(count, pid);
	assert_non_null(main_loop);
	assert_int_equal(main_loop->backend, PS_BACKEND_EPOLL);
	assert_string_equal(main_loop->runtime, "node");
	assert_true(main_loop->poller_fd >= 0);
	assert_int_equal(main_loop->has_ring, 0);
	assert_non_null(strstr(main_loop->cmdline, "createServer"));
	child_stop(pid, SIGKILL);
}

TEST(a_node_that_computes_without_end_is_found_by_its_fullest_poller)
{
	need("node");
	/* not at once: its descriptors reach the poller with the first poll */
	pid_t pid = child_start((char *[]){ "node", "-e", "require('http').createServer(()=>{}).listen(0,'127.0.0.1',"
							  "()=>setTimeout(()=>{for(;;);},50))", NULL }, NULL);
	struct wanted wanted = { pid, 2, pid, 3 };
	int count = child_await(is_found_busy, &wanted);
	assert_true(count >= 2);
	assert_true(loop_of(count, pid)->fds >= 3);
	child_stop(pid, SIGKILL);
}

TEST(redis_has_one_loop)
{
	need("redis-server");
	char port[16];
	snprintf(port, sizeof(port), "%d", child_free_port());
	pid_t pid = child_start((char *[]){ "redis-server", "--port", port, "--save", "", NULL }, "/tmp");
	int count = child_await(is_found_and_named, &(struct wanted){ pid, 1, pid, 1 });
	assert_int_equal(count, 1);
	assert_string_equal(loops[0].runtime, "redis");
	child_stop(pid, SIGKILL);
}

TEST(memcached_has_a_loop_per_thread)
{
	need("memcached");
	char port[16];
	snprintf(port, sizeof(port), "%d", child_free_port());
	pid_t pid = child_start((char *[]){ "memcached", "-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-t", "3", "-p", port, NULL }, "/tmp");
	int count = child_await(is_found_and_named, &(struct wanted){ pid, 4, pid, 1 });
	assert_int_equal(count, 4);
	assert_string_equal(loops[0].runtime, "memcached");
	for (int i = 1; i < count; i++)
		assert_int_not_equal(loops[i].poller_fd, loops[i - 1].poller_fd);
	child_stop(pid, SIGKILL);
}

static int is_found_by_name(void *arg)
{
	struct wanted *wanted = arg;
	int found = 0;
	free(loops);
	int count = attach_find_loops(&loops, 0);
	for (int i = 0; i < count; i++) {
		char path[64], text[256] = "";
		snprintf(path, sizeof(path), "/proc/%d/stat", loops[i].pid);
		FILE *file = fopen(path, "re");
		if (file && fgets(text, sizeof(text), file)) {
			int ppid = 0;
			const char *close = strrchr(text, ')');
			if (close && sscanf(close + 1, " %*c %d", &ppid) == 1 && ppid == wanted->pid)
				found++;
		}
		if (file)
			fclose(file);
	}
	return found >= wanted->count ? found : 0;
}

TEST(nginx_has_a_loop_in_each_of_its_workers_and_none_in_its_master)
{
	need("nginx");
	char folder[] = "/tmp/ps-find-XXXXXX", conf[64], command[128];
	static const char *const temporary[] = { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" };
	assert_non_null(mkdtemp(folder));
	chmod(folder, 0755);
	snprintf(conf, sizeof(conf), "%s/conf", folder);
	FILE *file = fopen(conf, "w");
	fprintf(file, "daemon off; worker_processes 2; user root; pid %s/pid; error_log /dev/null;\n"
		      "events { worker_connections 64; }\n"
		      "http { access_log off; server { listen 127.0.0.1:%d; }\n", folder, child_free_port());
	/* where nginx was only unpacked its own folders are not there */
	for (size_t i = 0; i < sizeof(temporary) / sizeof(*temporary); i++)
		fprintf(file, "%s_temp_path %s/%s;\n", temporary[i], folder, temporary[i]);
	fprintf(file, "}\n");
	fclose(file);
	pid_t pid = child_start((char *[]){ "nginx", "-p", folder, "-c", conf, NULL }, folder);
	int workers = child_await(is_found_by_name, &(struct wanted){ pid, 2 });
	struct loop_found *master;
	int of_master = attach_find_loops(&master, pid);
	free(master);
	child_stop(pid, SIGTERM);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(workers, 2);
	assert_int_equal(of_master, 0);
}

TEST(asyncio_has_one_loop)
{
	need("/usr/bin/python3");
	pid_t pid = child_start((char *[]){ "/usr/bin/python3", "-c", "import asyncio; asyncio.run(asyncio.sleep(60))", NULL }, NULL);
	int count = child_await(is_found, &(struct wanted){ pid, 1, pid, 1 });
	assert_int_equal(count, 1);
	assert_string_equal(loops[0].runtime, "python");
	child_stop(pid, SIGKILL);
}

/* ---- made by the test itself ---- */

static void *wait_in_epoll(void *arg)
{
	struct epoll_event event;
	epoll_wait(*(int *)arg, &event, 1, -1);
	return NULL;
}

TEST(each_thread_that_waits_has_its_own_poller)
{
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int epfd[3];
		pthread_t thread;
		for (int i = 0; i < 3; i++) {
			epfd[i] = epoll_create1(0);
			for (int j = 0; j <= i; j++) {
				struct epoll_event event = { EPOLLIN, { 0 } };
				epoll_ctl(epfd[i], EPOLL_CTL_ADD, eventfd(0, 0), &event);
			}
		}
		pthread_create(&thread, NULL, wait_in_epoll, &epfd[1]);
		wait_in_epoll(&epfd[2]);
		_exit(0);
	}
	int count = child_await(is_found, &(struct wanted){ pid, 2, pid, 3 });
	assert_int_equal(count, 2);
	assert_int_equal(loop_of(count, pid)->fds, 3);
	assert_int_equal(loops[0].tid == pid ? loops[1].fds : loops[0].fds, 2);
	assert_string_equal(loops[0].runtime, "generic");
	child_stop(pid, SIGKILL);
}

TEST(a_thread_in_poll_is_a_loop_without_a_descriptor)
{
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct pollfd fds[2] = { { eventfd(0, 0), POLLIN, 0 }, { eventfd(0, 0), POLLIN, 0 } };
		poll(fds, 2, -1);
		_exit(0);
	}
	assert_int_equal(child_await(is_found, &(struct wanted){ pid, 1, pid, 2 }), 1);
	assert_int_equal(loops[0].poller_fd, -1);
	assert_int_equal(loops[0].backend, PS_BACKEND_POLL);
	assert_int_equal(loops[0].fds, 2);
	child_stop(pid, SIGKILL);
}

TEST(select_is_told_by_how_many_descriptors_are_in_its_sets)
{
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd_set in;
		FD_ZERO(&in);
		FD_SET(dup2(eventfd(0, 0), 100), &in);
		FD_SET(dup2(eventfd(0, 0), 200), &in);
		select(201, &in, NULL, NULL, NULL);
		_exit(0);
	}
	assert_int_equal(child_await(is_found, &(struct wanted){ pid, 1, pid, 2 }), 1);
	assert_int_equal(loops[0].backend, PS_BACKEND_SELECT);
	assert_int_equal(loops[0].fds, 2);
	child_stop(pid, SIGKILL);
}

static int is_sleeping(void *arg)
{
	char path[64], text[64] = "";
	snprintf(path, sizeof(path), "/proc/%d/syscall", *(pid_t *)arg);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	int said = fgets(text, sizeof(text), file) && (unsigned long)atoi(text) == SYS_pause;
	fclose(file);
	return said;
}

TEST(a_process_without_a_poller_has_no_loop)
{
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		syscall(SYS_pause);
		_exit(0);
	}
	assert_true(child_await(is_sleeping, &pid));
	assert_int_equal(attach_find_loops(&loops, pid), 0);
	assert_null(loops);
	child_stop(pid, SIGKILL);
	assert_int_equal(attach_find_loops(&loops, pid), -ESRCH);
}

TEST(a_flight_recorder_is_known_by_the_name_of_its_memory)
{
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		memfd_create(PS_RING_NAME, 0);
		int epfd = epoll_create1(0);
		wait_in_epoll(&epfd);
		_exit(0);
	}
	assert_int_equal(child_await(is_found_with_ring, &(struct wanted){ pid, 1, pid, 0 }), 1);
	assert_int_equal(loops[0].has_ring, 1);
	assert_string_equal(loops[0].runtime, "pollscope");
	child_stop(pid, SIGKILL);
}

TEST(a_kernel_thread_is_refused)
{
	if (access("/proc/2/stat", R_OK))
		SKIP("no kernel threads to be seen here");
	char text[64] = "";
	FILE *file = fopen("/proc/2/comm", "re");
	if (!file || !fgets(text, sizeof(text), file) || strcmp(text, "kthreadd\n"))
		SKIP("process 2 is no kernel thread here");
	fclose(file);
	assert_int_equal(attach_find_loops(&loops, 2), -ENOTSUP);
}

TEST(a_number_that_nobody_has_is_no_such_process)
{
	assert_int_equal(attach_find_loops(&loops, 0x3fffffff), -ESRCH);
}

TEST(another_users_process_is_closed_but_its_name_is_told)
{
	if (geteuid())
		SKIP("needs root to become two users");
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "redis-server");
		int epfd = epoll_create1(0);
		wait_in_epoll(&epfd);
		_exit(0);
	}
	assert_int_equal(child_await(is_found, &(struct wanted){ pid, 1, pid, 0 }), 1);
	pid_t looker = fork();
	if (!looker) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		if (attach_find_loops(&loops, pid) != -EPERM)
			_exit(3);
		int count = attach_find_loops(&loops, 0);
		const struct loop_found *loop = loop_of(count, pid);
		_exit(loop && !strncmp(loop->can_see, "nothing: not your process", 25) && loop->poller_fd == -1 ? 0 : 4);
	}
	int status;
	waitpid(looker, &status, 0);
	child_stop(pid, SIGKILL);
	assert_int_equal(status, 0);
}

TEST(a_command_is_found_by_its_exact_name)
{
	pid_t pids[8];
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "ps find (x) y");
		syscall(SYS_pause);
		_exit(0);
	}
	assert_true(child_await(is_sleeping, &pid));
	assert_int_equal(attach_find_command("ps find (x) y", pids, 8), 1);
	assert_int_equal(pids[0], pid);
	assert_int_equal(attach_find_command("ps find (x)", pids, 8), 0);
	assert_int_equal(attach_find_command("ps find (x) y", pids, 0), 0);
	child_stop(pid, SIGKILL);
}

TEST(a_program_whose_main_thread_was_renamed_is_found_by_its_file)
{
	pid_t pids[64];
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "MainThread");
		syscall(SYS_pause);
		_exit(0);
	}
	assert_true(child_await(is_sleeping, &pid));
	int count = attach_find_command("test_find", pids, 64), found = 0;
	for (int i = 0; i < count; i++)
		found += pids[i] == pid;
	assert_int_equal(found, 1);
	child_stop(pid, SIGKILL);
}

TEST(we_do_not_find_ourselves)
{
	prctl(PR_SET_NAME, "ps find self");
	pid_t pids[8];
	assert_int_equal(attach_find_command("ps find self", pids, 8), 0);
	int epfd = epoll_create1(0);
	pthread_t thread;
	pthread_create(&thread, NULL, wait_in_epoll, &epfd);
	assert_int_equal(child_await(is_found, &(struct wanted){ getpid(), 1, 0, 0 }), 1); /* but may look at ourselves */
	free(loops);
	int count = attach_find_loops(&loops, 0);
	for (int i = 0; i < count; i++)
		assert_int_not_equal(loops[i].pid, getpid());
}

static uint64_t cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What it costs here to read what each descriptor of a process is: the least that a look at it can do. */
static void read_descriptors(pid_t pid)
{
	char path[64], link[64];

	for (int fd = 0; fd < 24; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		assert_true(readlink(path, link, sizeof(link)) != 0);
	}
}

/* 30 to 130 ms, as machines are fast; so it is held against what that very machine takes for the system calls alone. */
TEST(three_hundred_processes_cost_little_more_than_to_read_their_descriptors)
{
	pid_t pids[300];
	for (int i = 0; i < 300; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int epfd = epoll_create1(0);
		for (int j = 0; j < 20; j++)
			dup(0);
		wait_in_epoll(&epfd);
		_exit(0);
	}
	uint64_t best = UINT64_MAX, least = UINT64_MAX;
	for (int i = 0; i < 5; i++) {
		uint64_t start = cpu_ns();
		for (int j = 0; j < 300; j++)
			read_descriptors(pids[j]);
		uint64_t reads = cpu_ns() - start;
		least = reads < least ? reads : least;
		start = cpu_ns();
		free(loops);
		int count = attach_find_loops(&loops, 0);
		uint64_t cost = cpu_ns() - start;
		assert_true(count >= 1);
		best = cost < best ? cost : best;
	}
	for (int i = 0; i < 300; i++)
		child_stop(pids[i], SIGKILL);
	printf("%llu us, descriptors alone %llu us\n", (unsigned long long)best / 1000, (unsigned long long)least / 1000);
	assert_true(best < 6 * least);
}
