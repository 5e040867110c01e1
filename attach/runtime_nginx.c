/* SPDX-License-Identifier: BSD-2-Clause */
/* nginx: its workers' timers and connections by the variables that it exports for modules (nginx_read.c). */
#include <string.h>

#include "runtime_server.h"

static int detect(const struct runtime_facts *facts)
{
	return !strcmp(facts->guess.name, "nginx");
}

static int open_nginx(void **state, const struct runtime_facts *facts)
{
	return runtime_server_open(state, facts, &server_nginx);
}

const struct runtime runtime_nginx = {
	.name = "nginx",
	.note = "timers of every worker, connections in use and events put off, by memory",
	.hidden = "this nginx exports none of its state: polls, stalls and descriptors are seen from the kernel's side",
	.optional = 1,
	.detect = detect,
	.open = open_nginx,
	.close = runtime_server_close,
	.snapshot = runtime_server_snapshot,
};
