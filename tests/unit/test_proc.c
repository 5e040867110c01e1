/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc: its texts parsed whatever is in them, and what it tells of real processes. */
#include "test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "child.h"
#include "proc.h"
#include "sink.h"

#define TAIL " R 1 2 3 4 5 4194304 7 8 9 10 11 12 13 14 20 0 17 0 123456 1 2 3\n"

static int parse_stat(struct proc_stat *stat, const char *text)
{
	/* exactly as long as the text: a step too far is seen by the sanitizer */
	size_t bytes = strlen(text);
	char *copy = malloc(bytes ? bytes : 1);
	memcpy(copy, text, bytes);
	int err = proc_parse_stat(stat, copy, bytes);
	free(copy);
	return err;
}

/* ---- stat ---- */

TEST(a_command_name_may_hold_anything)
{
	struct proc_stat stat;
	static const char *const names[] = { "node", "a b", "(x)", ") R 1 (", "a\nb", "()", "", ")", "x) S 9 9 9 (y" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char text[256];
		snprintf(text, sizeof(text), "42 (%s)" TAIL, names[i]);
		assert_int_equal(parse_stat(&stat, text), 0);
		assert_string_equal(stat.comm, names[i]);
		assert_int_equal(stat.pid, 42);
		assert_int_equal(stat.state, 'R');
		assert_int_equal(stat.ppid, 1);
		assert_int_equal(stat.threads, 17);
		assert_int_equal(stat.start_ticks, 123456);
		assert_int_equal(stat.start_stack, 0); /* older kernels, and who may not know */
	}
}

TEST(a_command_name_longer_than_any_is_cut)
{
	struct proc_stat stat;
	char text[1200];
	snprintf(text, sizeof(text), "42 (%01000d)" TAIL, 0);
	assert_int_equal(parse_stat(&stat, text), 0);
	assert_int_equal(strlen(stat.comm), sizeof(stat.comm) - 1);
}

TEST(a_stat_cut_anywhere_before_the_start_time_is_refused)
{
	struct proc_stat stat;
	char text[] = "42 (a) (b)" TAIL;
	size_t whole = strlen("42 (a) (b) R 1 2 3 4 5 4194304 7 8 9 10 11 12 13 14 20 0 17 0 1");
	for (size_t bytes = 0; bytes < whole; bytes++) {
		char *copy = malloc(bytes ? bytes : 1);
		memcpy(copy, text, bytes);
		assert_int_equal(proc_parse_stat(&stat, copy, bytes), -EINVAL);
		free(copy);
	}
}

TEST(a_stat_that_is_none_is_refused)
{
	struct proc_stat stat;
	static const char *const texts[] = { "", "x", "42", "42 ", "42 (", "42 )", "42 a) R 1", "-1 (a)" TAIL,
					     "99999999999999999999 (a)" TAIL, "42 (a)", "42 (a) R", "42(a)" TAIL };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(parse_stat(&stat, texts[i]), -EINVAL);
}

TEST(a_kernel_thread_is_known_by_its_flag)
{
	struct proc_stat stat;
	assert_int_equal(parse_stat(&stat, "2 (node) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n"), 0);
	assert_true(proc_is_kernel_thread(&stat));
	assert_int_equal(proc_read_stat(getpid(), 0, &stat), 0);
	assert_false(proc_is_kernel_thread(&stat));
}

/* ---- the others ---- */

static int parse_syscall(struct proc_syscall *call, const char *text)
{
	size_t bytes = strlen(text);
	char *copy = malloc(bytes ? bytes : 1);
	memcpy(copy, text, bytes);
	int err = proc_parse_syscall(call, copy, bytes);
	free(copy);
	return err;
}

TEST(a_system_call_is_read_with_its_arguments)
{
	struct proc_syscall call;
	assert_int_equal(parse_syscall(&call, "281 0xe 0x7f 0x400 0xffffffffffffffff 0x0 0x8 0x1 0x2\n"), 0);
	assert_int_equal(call.number, 281);
	assert_int_equal(call.args[0], 14);
	assert_true(call.args[3] == UINT64_MAX);
	assert_int_equal(parse_syscall(&call, "running\n"), 0);
	assert_int_equal(call.number, PROC_SYSCALL_RUNNING);
	assert_int_equal(parse_syscall(&call, "-1 0x7ffd 0x7f4b\n"), 0);
	assert_int_equal(call.number, PROC_SYSCALL_NONE);
}

TEST(a_system_call_that_is_none_is_refused)
{
	struct proc_syscall call;
	static const char *const texts[] = { "", "run", "281", "281 0xe", "281 0x 1 2 3 4 5", "281 g 1 2 3 4 5", "99999999999 1 2 3 4 5 6",
					     "281 0x10000000000000000 1 2 3 4 5" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(parse_syscall(&call, texts[i]), -EINVAL);
}

TEST(pollers_are_known_by_number_with_their_descriptor)
{
	struct proc_syscall call = { .number = SYS_epoll_pwait, .args = { 14 } };
	int fd;
	uint32_t fds;
	assert_int_equal(proc_poller(&call, &fd, &fds), PS_BACKEND_EPOLL);
	assert_int_equal(fd, 14);
	call = (struct proc_syscall){ .number = SYS_ppoll, .args = { 0x7f00, 7 } };
	assert_int_equal(proc_poller(&call, &fd, &fds), PS_BACKEND_POLL);
	assert_int_equal(fd, -1);
	assert_int_equal(fds, 7);
	call.number = SYS_read;
	assert_int_equal(proc_poller(&call, &fd, &fds), PS_BACKEND_UNKNOWN);
}

TEST(a_status_tells_owner_and_inner_number)
{
	static const char text[] = "Name:\tUid: 7\\nTgid:\t9\nTgid:\t42\nUid:\t1\t2\t3\t4\nNSpid:\t42\t7\t1\nCapEff:\t000001fffeffffff\n"
				   "NoNewPrivs:\t1\nSeccomp:\t2\n";
	struct proc_status status;
	assert_int_equal(proc_parse_status(&status, text, strlen(text)), 0);
	assert_int_equal(status.tgid, 42);
	assert_int_equal(status.ns_pid, 1);
	assert_int_equal(status.uid[1], 2);
	assert_true(status.caps == 0x1fffeffffffull);
	assert_int_equal(status.seccomp, 2);
	assert_int_equal(proc_parse_status(&status, "Name:\tx\n", 8), -EINVAL);
	assert_int_equal(proc_parse_status(&status, "Uid:\t1\t2\t3\n", 11), -EINVAL);
	for (size_t bytes = 0; bytes < strlen(text); bytes++) {
		char *copy = malloc(bytes ? bytes : 1);
		memcpy(copy, text, bytes);
		proc_parse_status(&status, copy, bytes);
		free(copy);
	}
}

TEST(registered_descriptors_are_counted_across_reads)
{
	static const char text[] = "pos:\t0\ntfd:       19 events: 19 tfd:\n tfd: 1\ntfd:  2\nxtfd: 3\ntf\ntfd:";
	for (size_t cut = 0; cut < strlen(text); cut++) {
		unsigned matched = 0;
		uint64_t count = proc_count_registered(text, cut, &matched);
		count += proc_count_registered(text + cut, strlen(text) - cut, &matched);
		assert_int_equal(count, 3);
	}
}

static void check_socket(enum proc_net table, const char *line, uint64_t inode, int kind, const char *name)
{
	struct proc_socket socket;
	char out[160];
	assert_int_equal(proc_parse_socket(&socket, table, line, strlen(line)), 0);
	assert_int_equal(socket.inode, inode);
	assert_int_equal(proc_socket_name(&socket, out, sizeof(out)), kind);
	assert_string_equal(out, name);
}

TEST(sockets_are_named_by_their_peer_or_where_they_listen)
{
	check_socket(PROC_NET_TCP, "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20123 1 0 100 0 0 10 0",
		     20123, PS_KIND_LISTEN, "127.0.0.1:8080");
	check_socket(PROC_NET_TCP, " 10: 0100007F:1F90 0501000A:1538 01 00000000:00000000 00:00000000 00000000  1000        0 77 1",
		     77, PS_KIND_TCP, "10.0.1.5:5432");
	check_socket(PROC_NET_TCP6, "  0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 5 1",
		     5, PS_KIND_LISTEN, "[::1]:80");
	check_socket(PROC_NET_TCP6, "  0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000501000A:0051 01 0:0 0:0 0 0 0 6 1",
		     6, PS_KIND_TCP, "10.0.1.5:81");
	check_socket(PROC_NET_UDP, "  0: 0100007F:0035 00000000:0000 07 0:0 0:0 0 0 0 8 2", 8, PS_KIND_UDP, "127.0.0.1:53");
	check_socket(PROC_NET_UNIX, "0000000000000000: 00000002 00000000 00010000 0001 01 9001 /run/a b.sock", 9001, PS_KIND_LISTEN,
		     "/run/a b.sock");
	check_socket(PROC_NET_UNIX, "0000000000000000: 00000003 00000000 00000000 0001 03 9002", 9002, PS_KIND_UNIX, "unix:[9002]");
}

TEST(a_line_of_sockets_cut_anywhere_is_refused_or_short)
{
	static const char line[] = "  0: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000501000A:0051 01 0:0 0:0 0 0 0 6";
	struct proc_socket socket;
	for (size_t bytes = 0; bytes < strlen(line); bytes++) {
		char *copy = malloc(bytes ? bytes : 1);
		memcpy(copy, line, bytes);
		assert_int_equal(proc_parse_socket(&socket, PROC_NET_TCP6, copy, bytes), -EINVAL);
		proc_parse_socket(&socket, PROC_NET_UNIX, copy, bytes);
		free(copy);
	}
	char path[400];
	snprintf(path, sizeof(path), "0: 2 0 0 1 1 7 /%0300d", 0);
	assert_int_equal(proc_parse_socket(&socket, PROC_NET_UNIX, path, strlen(path)), 0);
	assert_int_equal(strlen(socket.path), sizeof(socket.path) - 1);
}

/* ---- descriptors of this process ---- */

static void check_fd(int fd, int kind, const char *name)
{
	char out[256];
	assert_true(fd >= 0);
	assert_int_equal(proc_fd_name(getpid(), fd, out, sizeof(out)), kind);
	if (name)
		assert_string_equal(out, name);
}

TEST(each_kind_of_descriptor_is_told)
{
	int pipes[2];
	sigset_t none;
	sigemptyset(&none);
	assert_int_equal(pipe(pipes), 0);
	check_fd(pipes[0], PS_KIND_PIPE, NULL);
	check_fd(eventfd(0, 0), PS_KIND_EVENTFD, "[eventfd]");
	check_fd(timerfd_create(CLOCK_MONOTONIC, 0), PS_KIND_TIMERFD, "[timerfd]");
	check_fd(signalfd(-1, &none, 0), PS_KIND_SIGNALFD, "[signalfd]");
	check_fd(epoll_create1(0), PS_KIND_EPOLL, "[eventpoll]");
	check_fd(inotify_init(), PS_KIND_INOTIFY, "inotify");
	check_fd(open("/dev/null", O_RDONLY), PS_KIND_FILE, "/dev/null");
	check_fd((int)syscall(SYS_pidfd_open, getpid(), 0), PS_KIND_PROCESS, NULL);
	char out[64];
	assert_int_equal(proc_fd_name(getpid(), 987654, out, sizeof(out)), -EBADF);
}

TEST(sockets_are_told_by_address)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	char name[64];
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
	snprintf(name, sizeof(name), "127.0.0.1:%u", ntohs(address.sin_port));
	check_fd(listener, PS_KIND_LISTEN, name);
	check_fd(client, PS_KIND_TCP, name);
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	/* made after the tables were read: they are read again, but not at once */
	const struct timespec gap = { 0, 10000000 };
	for (int i = 0; i < 500 && proc_fd_name(getpid(), pair[0], name, sizeof(name)) == PS_KIND_SOCKET; i++)
		nanosleep(&gap, NULL);
	check_fd(pair[0], PS_KIND_UNIX, NULL);
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "\0pollscope test" };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&path, sizeof(sa_family_t) + 15), 0);
	assert_int_equal(listen(listening, 1), 0);
	for (int i = 0; i < 500 && proc_fd_name(getpid(), listening, name, sizeof(name)) == PS_KIND_SOCKET; i++)
		nanosleep(&gap, NULL);
	check_fd(listening, PS_KIND_LISTEN, "@pollscope test");
}

static const char *path_of_call(int number, uint64_t a, uint64_t b, uint64_t c)
{
	struct stream *stream;
	const uint64_t args[3] = { a, b, c };
	assert_int_equal(stream_open(&stream), 0);
	uint32_t id = proc_syscall_path(getpid(), number, args, stream);
	sunk_bytes = 0;
	stream_flush(stream, sink, NULL);
	stream_close(stream);
	return id ? sunk_string(id) : NULL;
}

TEST(a_blocking_call_is_told_with_what_it_works_on)
{
	int fd = open("/dev/null", O_RDONLY);
	assert_string_equal(path_of_call(SYS_read, (uint64_t)fd, 0, 0), "/dev/null");
	assert_string_equal(path_of_call(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)(uintptr_t) "/some/file", 0), "/some/file");
	assert_string_equal(path_of_call(SYS_statx, (uint64_t)fd, (uint64_t)(uintptr_t) "", 0), "/dev/null");
	assert_null(path_of_call(SYS_openat, 0xffffffff, 8, 0));
	assert_null(path_of_call(SYS_getpid, 1, 2, 3));
	assert_null(path_of_call(SYS_read, (uint64_t)-1, 0, 0));
}

TEST(a_path_that_ends_at_an_unmapped_page_is_read_and_a_long_one_is_cut)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(pages + 4096, 4096);
	strcpy(pages + 4096 - 5, "/abc");
	assert_string_equal(path_of_call(SYS_openat, 0, (uint64_t)(uintptr_t)(pages + 4096 - 5), 0), "/abc");
	memset(pages, 'x', 4096); /* no end at all */
	assert_int_equal(strlen(path_of_call(SYS_openat, 0, (uint64_t)(uintptr_t)pages, 0)), 255);
	assert_int_equal(strlen(path_of_call(SYS_openat, 0, (uint64_t)(uintptr_t)(pages + 4090), 0)), 6);
}

/* ---- identity and description ---- */

TEST(an_identity_ends_with_its_process)
{
	struct proc_id id;
	assert_int_equal(proc_open(&id, getpid()), 0);
	assert_int_equal(proc_same(&id), 1);
	proc_close(&id);
	pid_t pid = child_start((char *[]){ "sleep", "60", NULL }, NULL);
	assert_int_equal(proc_open(&id, pid), 0);
	assert_int_equal(proc_same(&id), 1);
	struct proc_id other = id;
	other.start_ticks++; /* as if the number had been given to another process */
	assert_int_equal(proc_same(&other), 0);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	assert_int_equal(proc_same(&id), 0); /* a zombie is none */
	struct proc_id late;
	assert_int_equal(proc_open(&late, pid), -ESRCH);
	waitpid(pid, NULL, 0);
	assert_int_equal(proc_same(&id), 0);
	assert_int_equal(proc_open(&late, pid), -ESRCH);
	proc_close(&id);
	assert_int_equal(proc_open(&late, 0), -ESRCH);
	assert_int_equal(proc_open(&late, -5), -ESRCH);
}

/* The same file, so only the stack tells the programs apart. */
TEST(a_process_that_becomes_another_program_is_still_the_same_process)
{
	struct proc_id id;
	struct proc_stat stat = { 0 };
	pid_t pid = child_start((char *[]){ "sh", "-c", "sleep 0.3; exec sh -c 'kill -STOP $$'", NULL }, NULL);
	for (int i = 0; i < 250 && strcmp(stat.comm, "sh"); i++, usleep(1000))
		proc_read_stat(pid, 0, &stat);
	assert_int_equal(proc_open(&id, pid), 0);
	assert_true(id.program != 0);
	assert_int_equal(proc_same_program(&id), 1);
	for (int i = 0; i < 5000 && proc_same_program(&id); i++)
		usleep(1000);
	assert_int_equal(proc_same_program(&id), 0);
	assert_int_equal(proc_same(&id), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(proc_same_program(&id), 1); /* nobody knows */
	proc_close(&id);
}

static pid_t thread_tid;
static pthread_barrier_t meeting;

static void *meet(void *arg)
{
	thread_tid = (pid_t)syscall(SYS_gettid);
	prctl(PR_SET_NAME, "libuv-worker");
	pthread_barrier_wait(&meeting);
	pthread_barrier_wait(&meeting);
	return NULL;
}

/* A sanitizer may have one of its own. */
static int own_threads(void)
{
	DIR *folder = opendir("/proc/self/task");
	int count = 0;
	for (struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

TEST(the_number_of_a_thread_is_no_process)
{
	pthread_t thread;
	struct proc_id id;
	pthread_barrier_init(&meeting, NULL, 2);
	pthread_create(&thread, NULL, meet, NULL);
	pthread_barrier_wait(&meeting);
	assert_int_equal(proc_open(&id, thread_tid), -ESRCH);
	pthread_barrier_wait(&meeting);
	pthread_join(thread, NULL);
}

TEST(a_process_is_described_with_its_threads)
{
	pthread_t thread;
	struct proc_id id;
	struct stream *stream;
	pthread_barrier_init(&meeting, NULL, 2);
	pthread_create(&thread, NULL, meet, NULL);
	pthread_barrier_wait(&meeting);
	prctl(PR_SET_NAME, "de (scribe) d");
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(proc_open(&id, getpid()), 0);
	assert_int_equal(proc_describe(&id, stream), 0);
	assert_true(stream_flush(stream, sink, NULL) > 0);
	const struct ps_ev_process *process = next_sunk(NULL, PS_EV_PROCESS);
	assert_non_null(process);
	assert_int_equal(process->pid, getpid());
	assert_int_equal(process->ppid, getppid());
	assert_string_equal(sunk_string(process->comm), "de (scribe) d");
	assert_non_null(strstr(sunk_string(process->cmdline), "a_process_is_described_with_its_threads"));
	assert_non_null(strstr(sunk_string(process->exe), "test_proc"));
	assert_string_equal(sunk_string(process->runtime), "generic");
	assert_int_equal(process->flags, 0);
	const struct ps_ev_thread *told = NULL;
	int threads = 0, workers = 0;
	while ((told = next_sunk(told, PS_EV_THREAD))) {
		threads++;
		workers += told->role == PS_ROLE_WORKER && (pid_t)told->h.tid == thread_tid;
	}
	assert_int_equal(threads, own_threads());
	assert_int_equal(workers, 1);
	pthread_barrier_wait(&meeting);
	pthread_join(thread, NULL);
	proc_close(&id);
	stream_close(stream);
}

static int open_libc(void)
{
	Dl_info info;
	assert_true(dladdr((const void *)(uintptr_t)getppid, &info) && info.dli_fname);
	int fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

TEST(a_name_that_a_program_exports_is_found_in_its_file)
{
	static const char *const names[] = { "no_such_function", "getppidd", "getppid", "epoll_wait", NULL };
	static const char *const none[] = { "no_such_function", "", "_ZN4node11per_process8metadataE", NULL };
	int fd = open_libc(), empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(proc_exports(fd, names), 2);
	assert_int_equal(proc_exports(fd, names + 3), 0);
	assert_int_equal(proc_exports(fd, none), -1);
	assert_int_equal(proc_exports(empty, names), -1);
	assert_int_equal(proc_exports(-1, names), -1);
	close(empty);
	close(fd);
}

/* Whatever is wrong in a header, in the sections or in the hash table: there or not, and no harm. */
TEST(a_program_whose_tables_lie_exports_nothing_or_what_it_did)
{
	static const char *const names[] = { "getppid", NULL };
	int fd = open_libc(), copy = memfd_create("copy", MFD_CLOEXEC);
	struct stat stat;
	assert_int_equal(fstat(fd, &stat), 0);
	size_t bytes = (size_t)stat.st_size;
	assert_true(copy >= 0 && !ftruncate(copy, stat.st_size));
	unsigned char *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
	const unsigned char *from = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(to != MAP_FAILED && from != MAP_FAILED);
	memcpy(to, from, bytes);
	assert_int_equal(proc_exports(copy, names), 0);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)from;
	size_t sections = header->e_shoff, places = sizeof(*header) + header->e_shnum * sizeof(Elf64_Shdr) + 4096;
	for (size_t i = 0; i < places; i++) {
		size_t at = i < sizeof(*header) ? i : i < places - 4096 ? sections + i - sizeof(*header) : i - places + 4096;
		if (at >= bytes)
			continue;
		for (unsigned value = 0xff;; value = value == 0xff ? 0x80 : 0) {
			to[at] = (unsigned char)value;
			int found = proc_exports(copy, names);
			assert_true(found == 0 || found == -1);
			if (!value)
				break;
		}
		to[at] = from[at];
	}
	assert_int_equal(proc_exports(copy, names), 0);
	for (off_t end = stat.st_size; end > 0; end -= end > 8192 ? 4096 : 64) {
		assert_int_equal(ftruncate(copy, end), 0);
		proc_exports(copy, names);
	}
	assert_int_equal(proc_exports(copy, names), -1);
	munmap(to, bytes);
	munmap((void *)(uintptr_t)from, bytes);
	close(copy);
	close(fd);
}

TEST(a_command_line_longer_than_the_room_is_cut)
{
	char *many[502] = { "sleep" }, text[128];
	for (int i = 1; i < 501; i++)
		many[i] = i == 1 ? "60" : "0";
	pid_t pid = child_start(many, NULL);
	const struct timespec gap = { 0, 1000000 };
	for (int i = 0; i < 5000 && strncmp(text, "sleep 60 0 0", 12); i++) {
		proc_cmdline(pid, text, sizeof(text));
		nanosleep(&gap, NULL);
	}
	assert_int_equal(strncmp(text, "sleep 60 0 0", 12), 0);
	assert_true(strlen(text) < sizeof(text));
	child_stop(pid, SIGKILL);
}

TEST(runtimes_are_known_by_name)
{
	assert_string_equal(proc_runtime_named("/usr/bin/node"), "node");
	assert_string_equal(proc_runtime_named("redis-server"), "redis");
	assert_string_equal(proc_runtime_named("/usr/bin/python3.11"), "python");
	assert_string_equal(proc_runtime_named("nginx: worker process"), "nginx");
	assert_string_equal(proc_runtime_named("/gone/node (deleted)"), "node");
	assert_null(proc_runtime_named("node_exporter"));
	assert_null(proc_runtime_named("/node/bash"));
	assert_null(proc_runtime_named(""));
}

/* ---- the source ---- */

struct run {
	struct attach_options options;
	struct proc_id id;
	struct loop_found loop;
	struct source_context context;
	void *state;
};

static void run_open(struct run *run, pid_t pid)
{
	struct stream *stream;
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(proc_open(&run->id, pid), 0);
	run->loop = (struct loop_found){ .pid = pid, .tid = pid, .poller_fd = 7, .backend = PS_BACKEND_EPOLL };
	run->context = (struct source_context){
		.options = &run->options, .stream = stream, .processes = &run->id, .process_count = 1, .loops = &run->loop,
		.loop_count = 1,
	};
	assert_int_equal(source_proc.open(&run->state, &run->context), 0);
}

static void run_drain(struct run *run)
{
	assert_true(source_proc.drain(run->state) >= 0);
	assert_true(stream_flush(run->context.stream, sink, NULL) >= 0);
}

static void run_close(struct run *run)
{
	source_proc.close(run->state);
	stream_flush(run->context.stream, sink, NULL);
	proc_close(&run->id);
	stream_close(run->context.stream);
}

TEST(the_source_tells_time_and_end_with_status)
{
	struct run run = { 0 };
	pid_t pid = child_start((char *[]){ "sleep", "60", NULL }, NULL);
	run_open(&run, pid);
	run_drain(&run);
	const struct ps_ev_cpu_time *time = next_sunk(NULL, PS_EV_CPU_TIME);
	assert_non_null(time);
	assert_int_equal(time->h.tid, pid);
	assert_non_null(next_sunk(NULL, PS_EV_OWN_COST));
	assert_null(next_sunk(NULL, PS_EV_PROCESS_EXIT));
	kill(pid, SIGTERM);
	waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	run_drain(&run);
	run_drain(&run);
	const struct ps_ev_process_exit *end = next_sunk(NULL, PS_EV_PROCESS_EXIT);
	assert_non_null(end);
	assert_int_equal(end->status, SIGTERM);
	assert_null(next_sunk(end, PS_EV_PROCESS_EXIT)); /* once */
	run_close(&run);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid); /* it was left for us */
}

static int is_in_nanosleep(void *arg)
{
	struct proc_syscall call;
	return !proc_read_syscall(*(pid_t *)arg, 0, &call) && call.number == SYS_clock_nanosleep;
}

TEST(a_loop_that_sleeps_outside_its_poller_is_sampled)
{
	struct run run = { .options.stall_ns = 20000000 };
	pid_t pid = child_start((char *[]){ "sleep", "60", NULL }, NULL);
	assert_true(child_await(is_in_nanosleep, &pid));
	run_open(&run, pid);
	run_drain(&run);
	assert_null(next_sunk(NULL, PS_EV_SAMPLE)); /* one look is no stall */
	const struct timespec gap = { 0, 5000000 };
	for (int i = 0; i < 1000 && !next_sunk(NULL, PS_EV_SAMPLE); i++) {
		nanosleep(&gap, NULL);
		run_drain(&run);
	}
	const struct ps_ev_sample *sample = next_sunk(NULL, PS_EV_SAMPLE);
	assert_non_null(sample);
	assert_int_equal(sample->syscall, SYS_clock_nanosleep);
	assert_int_equal(sample->kind, PS_SAMPLE_PROC);
	assert_int_equal(sample->state, 'S');
	assert_int_equal(sample->stack, 0);
	/* and nothing that pretends to be measured */
	assert_null(next_sunk(NULL, PS_EV_POLL_ENTER));
	assert_null(next_sunk(NULL, PS_EV_POLL_RETURN));
	run_close(&run);
	child_stop(pid, SIGKILL);
}

TEST(a_loop_that_waits_in_its_poller_is_not_sampled)
{
	struct run run = { .options.stall_ns = 1000000 };
	pid_t pid = fork();
	if (!pid) {
		struct epoll_event event;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		epoll_wait(epoll_create1(0), &event, 1, -1);
		_exit(0);
	}
	run_open(&run, pid);
	const struct timespec gap = { 0, 5000000 };
	for (int i = 0; i < 10; i++) {
		run_drain(&run);
		nanosleep(&gap, NULL);
	}
	assert_null(next_sunk(NULL, PS_EV_SAMPLE));
	run_close(&run);
	child_stop(pid, SIGKILL);
}

static const struct ps_ev_thread *sunk_thread(pid_t tid)
{
	const struct ps_ev_thread *told = NULL;
	while ((told = next_sunk(told, PS_EV_THREAD)) && (pid_t)told->h.tid != tid)
		;
	return told;
}

TEST(threads_that_come_and_go_are_told)
{
	struct run run = { 0 };
	pthread_t thread;
	pthread_barrier_init(&meeting, NULL, 2);
	run_open(&run, getpid());
	pthread_create(&thread, NULL, meet, NULL);
	pthread_barrier_wait(&meeting);
	const struct timespec gap = { 0, 50000000 };
	for (int i = 0; i < 100 && !sunk_thread(thread_tid); i++) {
		nanosleep(&gap, NULL);
		run_drain(&run);
	}
	const struct ps_ev_thread *told = sunk_thread(thread_tid);
	assert_non_null(told);
	assert_string_equal(sunk_string(told->name), "libuv-worker");
	pthread_barrier_wait(&meeting);
	pthread_join(thread, NULL);
	for (int i = 0; i < 100 && !next_sunk(NULL, PS_EV_THREAD_EXIT); i++) {
		nanosleep(&gap, NULL);
		run_drain(&run);
	}
	const struct ps_ev_thread_exit *end = next_sunk(NULL, PS_EV_THREAD_EXIT);
	assert_non_null(end);
	assert_int_equal(end->h.tid, thread_tid);
	run_close(&run);
}
