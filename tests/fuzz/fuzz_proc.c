/* SPDX-License-Identifier: BSD-2-Clause */
/* The parsers of /proc texts on any bytes: the first byte chooses the parser. */
#include <assert.h>
#include <string.h>

#include "proc.h"

static void parse_sockets(enum proc_net table, const char *text, size_t bytes)
{
	struct proc_socket socket;
	char name[160];
	if (!proc_parse_socket(&socket, table, text, bytes)) {
		assert(proc_socket_name(&socket, name, sizeof(name)) < PS_KIND_COUNT);
		assert(memchr(socket.path, 0, sizeof(socket.path)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	union {
		struct proc_stat stat;
		struct proc_syscall call;
		struct proc_sched sched;
		struct proc_status status;
	} out;
	unsigned matched = 0;
	if (!bytes)
		return 0;
	const char *text = (const char *)data + 1;
	bytes--;
	switch (*data % 6) {
	case 0:
		if (!proc_parse_stat(&out.stat, text, bytes))
			assert(memchr(out.stat.comm, 0, sizeof(out.stat.comm)) && out.stat.pid >= 0);
		break;
	case 1:
		proc_parse_syscall(&out.call, text, bytes);
		break;
	case 2:
		proc_parse_schedstat(&out.sched, text, bytes);
		break;
	case 3:
		proc_parse_status(&out.status, text, bytes);
		break;
	case 4:
		assert(proc_count_registered(text, bytes, &matched) <= bytes / 4);
		break;
	default:
		parse_sockets((enum proc_net)(*data / 6 % PROC_NET_COUNT), text, bytes);
	}
	return 0;
}
