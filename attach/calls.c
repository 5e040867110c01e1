/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>

#if defined(__x86_64__)
#define PREFIX "__x64_sys_"
#elif defined(__aarch64__)
#define PREFIX "__arm64_sys_"
#else
#define PREFIX ""
#endif

int call_set_target(struct bpf_program *program, const char *call)
{
	char name[64];

	if (!*PREFIX)
		return -ENOTSUP;
	snprintf(name, sizeof(name), PREFIX "%s", call);
	return bpf_program__set_attach_target(program, 0, name);
}
