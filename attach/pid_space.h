/* SPDX-License-Identifier: BSD-2-Clause */
/* The PID namespace that we run in: BPF programs turn the kernel's numbers of processes into those that we know. */
#ifndef PID_SPACE_H
#define PID_SPACE_H

#include <stdint.h>

struct pid_space {
	uint32_t level;  /* how deep it is; 0 = the first one, where the kernel's numbers are ours */
	uint32_t inode;
};

/* Looks once; what it found is kept. -errno: we are in one below the first, and this kernel does not tell how deep. */
int pid_space_find(struct pid_space *space);

/* For a skeleton whose programs include ids.h, between its open and its load. */
#define PID_SPACE_SET(skeleton)                                         \
	do {                                                            \
		struct pid_space space_;                                \
		if (!pid_space_find(&space_)) {                         \
			(skeleton)->rodata->cfg_pid_level = space_.level; \
			(skeleton)->rodata->cfg_pid_space = space_.inode; \
		}                                                       \
	} while (0)

#endif
