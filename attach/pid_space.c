/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds it by running a BPF program once: /proc tells nothing of what is outside of the own namespace. */
#include "pid_space.h"

#include <errno.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "own_level.skel.h"

#define FIRST 4026531836u  /* the inode of the first PID namespace, on every machine */

static int find_level(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct own_level *skeleton = own_level__open_and_load();

	if (!skeleton)
		return -errno;
	int err = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.tell_level), &run);
	own_level__destroy(skeleton);
	return err ? err : (int)run.retval;
}

int pid_space_find(struct pid_space *space)
{
	static struct pid_space found;
	static int err = 1;
	struct stat own;

	if (err > 0 && (stat("/proc/self/ns/pid", &own) || own.st_ino == FIRST)) {
		err = 0;
	} else if (err > 0) {
		int level = find_level();

		err = level > 0 ? 0 : level ? level : -ENOTSUP;
		found = (struct pid_space){ .level = (uint32_t)level, .inode = (uint32_t)own.st_ino };
	}
	*space = found;
	return err;
}
