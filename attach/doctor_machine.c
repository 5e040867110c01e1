/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor on this machine: what the kernel and the rights of this process allow. */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf_try.h"
#include "ring_find.h"

#define ERRNO_ENOTSUPP 524 /* the kernel's own, which has leaked out */

static const char grant[] = "sudo pollscope …, or: sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep $(command -v pollscope)";
static const char grant_root[] = "this root lacks rights: run on the host, or add CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE";

static const char *reason(int err)
{
	return err == -ERRNO_ENOTSUPP ? "not supported by this kernel" : strerror(-err);
}

/* What would give us the rights that we lack; nothing when we have them all and are refused nevertheless. */
static const char *grant_for_us(const struct doctor_notes *notes)
{
	if (doctor_can(notes, DOCTOR_CAP_SYS_ADMIN) && doctor_can(notes, DOCTOR_CAP_BPF) &&
	    doctor_can(notes, DOCTOR_CAP_PERFMON))
		return NULL;
	return geteuid() ? grant : grant_root;
}

/* ---- rights ---- */

static void try_rights(struct doctor_notes *notes)
{
	static const struct {
		unsigned bit;
		const char *name;
	} wanted[] = {
		{ DOCTOR_CAP_BPF, "CAP_BPF" }, { DOCTOR_CAP_PERFMON, "CAP_PERFMON" },
		{ DOCTOR_CAP_PTRACE, "CAP_SYS_PTRACE" }, { DOCTOR_CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	};
	char lacking[128] = "";
	size_t missing = 0, count = sizeof(wanted) / sizeof(*wanted);
	for (size_t i = 0; i < count; i++) {
		if (doctor_can(notes, wanted[i].bit))
			continue;
		size_t at = strlen(lacking);
		snprintf(lacking + at, sizeof(lacking) - at, "%s%s", missing++ ? ", " : "", wanted[i].name);
	}
	if (!missing)
		doctor_note(notes, "rights", DOCTOR_YES, NULL, "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_SYS_ADMIN");
	else
		doctor_note(notes, "rights", missing < count ? DOCTOR_PARTLY : DOCTOR_NO, grant_for_us(notes),
			    "without %s; flight recorders and /proc of your own processes need none", lacking);
}

/* ---- BPF ---- */

static void try_bpf(struct doctor_notes *notes)
{
	for (const struct bpf_try *try = bpf_tries; try->what; try++) {
		const char *step = "try";
		int err = try->run(&step);
		if (!err) {
			doctor_note(notes, try->what, DOCTOR_YES, NULL, "%s", try->works);
			continue;
		}
		int is_denied = err == -EPERM || err == -EACCES;
		const char *mend = is_denied ? grant_for_us(notes) : NULL;
		/* who lacks rights lacks them for the substitute too */
		doctor_note(notes, try->what, try->has_substitute && !mend ? DOCTOR_PARTLY : DOCTOR_NO,
			    mend, "cannot %s: %s%s; without it: %s", step, reason(err),
			    is_denied && !mend ? " (by this kernel, whoever asks)" : "", try->without);
	}
}

/* ---- settings ---- */

/* What the file of a setting says, as a number; -errno below -1000. */
static long setting(const char *path)
{
	char text[64];
	ssize_t length = proc_read_file(path, text, sizeof(text));
	return length > 0 ? strtol(text, NULL, 10) : -1000 + (length ? length : -EIO);
}

static void try_paranoid(struct doctor_notes *notes)
{
	static const char path[] = "/proc/sys/kernel/perf_event_paranoid";
	static const char what[] = "perf events";
	long level = setting(path);
	if (level <= -1000)
		doctor_note(notes, what, DOCTOR_NO, NULL, "this kernel has no perf events: stalls are not sampled");
	else if (doctor_can(notes, DOCTOR_CAP_PERFMON) || doctor_can(notes, DOCTOR_CAP_SYS_ADMIN))
		doctor_note(notes, what, DOCTOR_YES, NULL, "kernel.perf_event_paranoid is %ld: no matter with your rights", level);
	else
		doctor_note(notes, what, level >= 2 ? DOCTOR_NO : DOCTOR_PARTLY, grant_for_us(notes),
			    "kernel.perf_event_paranoid is %ld; sampling by BPF needs CAP_PERFMON as well", level);
}

static void try_kernel_symbols(struct doctor_notes *notes)
{
	char line[256] = "";
	FILE *file = fopen("/proc/kallsyms", "re");
	int known = 0;
	for (int i = 0; file && i < 16 && !known && fgets(line, sizeof(line), file); i++)
		known = strtoull(line, NULL, 16) != 0;
	if (file)
		fclose(file);
	if (known)
		doctor_note(notes, "kernel symbols", DOCTOR_YES, NULL, "kernel frames of stacks get names");
	else
		doctor_note(notes, "kernel symbols", DOCTOR_NO, "sudo pollscope …, or: sudo sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1",
			    "addresses are hidden (kernel.kptr_restrict is %ld): kernel frames stay numbers",
			    setting("/proc/sys/kernel/kptr_restrict"));
}

static void try_ptrace_scope(struct doctor_notes *notes)
{
	static const char what[] = "looking at your own processes";
	long scope = setting("/proc/sys/kernel/yama/ptrace_scope");
	if (scope <= 0)
		doctor_note(notes, what, DOCTOR_YES, NULL, "their system calls and memory may be read");
	else if (doctor_can(notes, DOCTOR_CAP_PTRACE) && scope < 3)
		doctor_note(notes, what, DOCTOR_YES, NULL, "kernel.yama.ptrace_scope is %ld: no matter with your rights", scope);
	else
		doctor_note(notes, what, DOCTOR_PARTLY, scope < 3 ? "sudo sysctl kernel.yama.ptrace_scope=0" : "",
			    "kernel.yama.ptrace_scope is %ld: flight recorders yes, system calls and memory of others no", scope);
}

static void try_lockdown(struct doctor_notes *notes)
{
	char text[128];
	proc_read_file("/sys/kernel/security/lockdown", text, sizeof(text));
	if (strstr(text, "[confidentiality]"))
		doctor_note(notes, "kernel lockdown", DOCTOR_NO, "boot without lockdown=confidentiality",
			    "confidentiality: BPF may not read memory, so no probe works; flight recorders do");
	else
		doctor_note(notes, "kernel lockdown", DOCTOR_YES, NULL, "%s",
			    strstr(text, "[integrity]") ? "integrity: no matter" : "none");
}

static void try_locked_memory(struct doctor_notes *notes)
{
	enum { BYTES = 8 << 20 };
	struct rlimit limit = { 0 };
	void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err = memory == MAP_FAILED || mlock(memory, BYTES) ? -errno : 0;
	if (memory != MAP_FAILED)
		munmap(memory, BYTES);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (!err)
		doctor_note(notes, "locked memory", DOCTOR_YES, NULL, "8 MiB can be locked: enough for the buffers");
	else
		doctor_note(notes, "locked memory", DOCTOR_PARTLY, "ulimit -l unlimited",
			    "limit is %llu KiB: kernels before 5.11 refuse BPF buffers, perf buffers stay small",
			    (unsigned long long)limit.rlim_cur / 1024);
}

/* ---- flight recorders ---- */

struct own_ring {
	uint64_t inode;
	int found;
};

static int compare_ring(const struct ring *ring, void *arg)
{
	struct own_ring *own = arg;
	struct ring taken = *ring;
	own->found |= ring->inode == own->inode;
	ring_close(&taken);
	return 0;
}

/* A ring as small as they come, made here and looked for as any other. */
static int make_ring(uint64_t *inode)
{
	enum { PAGE = 4096 };
	struct ps_ring_header header = {
		.magic = PS_RING_MAGIC, .version = PS_RING_VERSION, .slot_size = PS_RING_SLOT, .slot_count = 64,
		.slots_offset = 2 * PAGE, .gauges_offset = PAGE, .pid = (uint32_t)getpid(), .tid = (uint32_t)gettid(),
		.poller_fd = -1,
	};
	struct proc_status status;
	struct stat stat;
	if (!proc_read_status(getpid(), gettid(), &status) && status.ns_pid)
		header.tid = (uint32_t)status.ns_pid;
	int fd = memfd_create(PS_RING_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, 3 * PAGE) || pwrite(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) || fstat(fd, &stat)) {
		int err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	*inode = stat.st_ino;
	return fd;
}

static void try_rings(struct doctor_notes *notes)
{
	static const char what[] = "flight recorders";
	struct own_ring own = { 0 };
	struct ring_find *find = calloc(1, sizeof(*find));
	int fd = find ? make_ring(&own.inode) : -ENOMEM, err = fd < 0 ? fd : 0;
	if (!err) {
		find->pid = getpid();
		err = ring_find(find, 0, compare_ring, &own);
		close(fd);
	}
	if (!err && own.found)
		doctor_note(notes, what, DOCTOR_YES, NULL, "tried: of your own processes, without any right");
	else
		doctor_note(notes, what, DOCTOR_NO, "mount -t proc proc /proc", "cannot read one of our own: %s",
			    err ? strerror(-err) : find && *find->why ? find->why : "/proc/self/fd does not show it");
	free(find);
}

void doctor_machine(struct doctor_notes *notes)
{
	try_rights(notes);
	try_rings(notes);
	try_bpf(notes);
	try_paranoid(notes);
	try_kernel_symbols(notes);
	try_ptrace_scope(notes);
	try_lockdown(notes);
	try_locked_memory(notes);
}
