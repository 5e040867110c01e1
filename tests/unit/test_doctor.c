/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor: true as root and as nobody, about this machine and about a process. */
#include "test.h"

#include <bpf/bpf.h>
#include <string.h>
#include <sys/syscall.h>

#include "attach.h"
#include "child.h"
#include "fake_ring.h"

#define ROOM 64

static struct doctor_row rows[ROOM];
static int count;

static const struct doctor_row *row_of(const char *what)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(rows[i].what, what))
			return &rows[i];
	fail_msg("no row \"%s\"", what);
	return NULL;
}

static void ask(pid_t pid)
{
	count = attach_doctor(rows, ROOM, pid);
	for (int i = 0; i < count; i++)
		printf("%d %-34s %s [%s]\n", rows[i].state, rows[i].what, rows[i].why, rows[i].mend);
}

/* As `ask`, in a child that is nobody; its rows come back by shared memory. */
static void ask_as_nobody(pid_t pid)
{
	void *shared = mmap(NULL, sizeof(rows) + sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t asker = fork();
	if (!asker) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(2);
		prctl(PR_SET_DUMPABLE, 1); /* as a program that nobody started himself */
		ask(pid);
		memcpy(shared, rows, sizeof(rows));
		memcpy((char *)shared + sizeof(rows), &count, sizeof(count));
		_exit(0);
	}
	int status;
	waitpid(asker, &status, 0);
	assert_int_equal(status, 0);
	memcpy(rows, shared, sizeof(rows));
	memcpy(&count, (char *)shared + sizeof(rows), sizeof(count));
	munmap(shared, sizeof(rows) + sizeof(int));
}

TEST(every_row_has_a_reason_and_every_refusal_for_lack_of_rights_a_mend)
{
	ask(0);
	assert_true(count > 10);
	for (int i = 0; i < count; i++) {
		assert_true(*rows[i].what && *rows[i].why);
		assert_true(strlen(rows[i].why) < sizeof(rows[i].why) - 1); /* not cut */
		if (rows[i].state == DOCTOR_YES)
			assert_string_equal(rows[i].mend, "");
		if (strstr(rows[i].why, "Operation not permitted") && !strstr(rows[i].why, "whoever asks"))
			assert_true(*rows[i].mend);
	}
}

TEST(our_own_flight_recorders_need_no_rights)
{
	if (geteuid())
		SKIP("needs root to become nobody");
	ask_as_nobody(0);
	assert_int_equal(row_of("flight recorders")->state, DOCTOR_YES);
	assert_int_equal(row_of("rights")->state, DOCTOR_NO);
	for (int i = 0; i < count; i++)
		if (strstr(rows[i].why, "Operation not permitted"))
			assert_true(*rows[i].mend);
	assert_int_equal(row_of("scheduler probe (BTF tracepoint)")->state, DOCTOR_NO);
	assert_non_null(strstr(row_of("scheduler probe (BTF tracepoint)")->mend, "sudo"));
}

static uint32_t last_program(void)
{
	uint32_t id = 0, next;
	while (!bpf_prog_get_next_id(id, &next))
		id = next;
	return id;
}

TEST(no_program_stays_behind)
{
	if (geteuid())
		SKIP("needs root to list programs");
	uint32_t before = last_program();
	ask(0);
	/* others may load programs meanwhile: only ours count */
	uint32_t id = before, next;
	while (!bpf_prog_get_next_id(id, &next)) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(next);
		id = next;
		if (fd < 0)
			continue;
		bpf_obj_get_info_by_fd(fd, &info, &size);
		close(fd);
		assert_string_not_equal(info.name, "ps_try");
	}
}

TEST(rows_beyond_the_room_are_dropped)
{
	static struct doctor_row few[3];
	assert_int_equal(attach_doctor(few, 2, 0), 2);
	assert_string_equal(few[2].what, "");
}

TEST(a_healthy_target_is_told_loop_and_recorder)
{
	int go[2];
	assert_int_equal(pipe(go), 0);
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fake_ring_make(64);
		close(go[1]);
		syscall(SYS_pause);
		_exit(0);
	}
	close(go[1]);
	char byte;
	assert_int_equal(read(go[0], &byte, 1), 0); /* its end is closed: the ring is made */
	ask(pid);
	assert_int_equal(row_of("target: owner")->state, DOCTOR_YES);
	assert_int_equal(row_of("target: flight recorders")->state, DOCTOR_YES);
	assert_int_equal(row_of("target: blocking calls")->state, DOCTOR_YES);
	assert_int_equal(row_of("target: memory")->state, DOCTOR_YES);
	assert_int_equal(row_of("target: symbols")->state, DOCTOR_YES);
	assert_int_equal(row_of("target: event loops")->state, DOCTOR_NO);
	child_stop(pid, SIGKILL);
}

TEST(another_users_target_is_told_with_the_way_in)
{
	if (geteuid())
		SKIP("needs root to become nobody");
	pid_t pid = child_start((char *[]){ "sleep", "60", NULL }, NULL);
	ask_as_nobody(pid);
	assert_int_equal(row_of("target: owner")->state, DOCTOR_NO);
	assert_non_null(strstr(row_of("target: owner")->mend, "sudo"));
	assert_int_equal(row_of("target: event loops")->state, DOCTOR_NO);
	assert_int_equal(row_of("target: memory")->state, DOCTOR_NO);
	child_stop(pid, SIGKILL);
}

TEST(what_is_no_target_is_said_to_be_none)
{
	ask(0x3fffffff);
	assert_int_equal(row_of("target")->state, DOCTOR_NO);
	assert_non_null(strstr(row_of("target")->why, "no process"));
	char text[64] = "";
	FILE *file = fopen("/proc/2/comm", "re");
	if (!file || !fgets(text, sizeof(text), file) || strcmp(text, "kthreadd\n"))
		return;
	fclose(file);
	ask(2);
	assert_non_null(strstr(row_of("target")->why, "kernel thread"));
}
