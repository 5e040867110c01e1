/* SPDX-License-Identifier: BSD-2-Clause */
/* For plug-ins of servers whose loop is read by the variables that they export; nobody else includes this. */
#ifndef RUNTIME_SERVER_H
#define RUNTIME_SERVER_H

#include "runtime.h"
#include "server_loop.h"

int runtime_server_open(void **state, const struct runtime_facts *facts, const struct server_kind *kind);
void runtime_server_close(void *state);
int runtime_server_snapshot(void *state, const struct runtime_ask *ask, const char **why);

#endif
