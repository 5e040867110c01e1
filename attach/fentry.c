/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks with a program that returns at once and a target that is no function:
 * who may not is refused before anybody looks at the target, who may is told
 * that the target is wrong.
 */
#include "fentry.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <unistd.h>

static int ask(void)
{
	static const struct bpf_insn return_zero[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY, .attach_btf_id = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "ps_fentry", "Dual BSD/GPL", return_zero,
			       sizeof(return_zero) / sizeof(*return_zero), &options);
	int err = fd < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err == -EPERM || err == -EACCES ? err : 0;
}

int fentry_refused(void)
{
	static int answer = 1;

	if (answer > 0)
		answer = ask();
	return answer;
}
