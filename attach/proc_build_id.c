/* SPDX-License-Identifier: BSD-2-Clause */
/* The build-id of what a process runs: tells one build of a program from another. */
#include "proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>

void proc_build_id(pid_t pid, char *out, size_t room)
{
	char path[64];
	const void *bytes = NULL;
	*out = 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	ssize_t count = elf ? dwelf_elf_gnu_build_id(elf, &bytes) : -1;
	for (ssize_t i = 0; i < count && 2 * (size_t)i + 3 <= room; i++)
		snprintf(out + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
	elf_end(elf);
	close(fd);
}
