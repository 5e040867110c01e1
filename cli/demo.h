/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demo's parts: a server process (demo_server.c) with load on itself
 * (demo_load.c) and one switchable sin (demo_scenarios.c). Only cmd_demo.c
 * watches, and only from outside.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "ps_loop.h"

/* ---- scenarios: what the server's loop is made to do ---- */

struct demo_scenario {
	const char *name;
	int key;                    /* on the dashboard */
	const char *note;
	/* Begins and ends it on the loop; state belongs to the scenario. May be NULL. */
	int (*start)(struct ps_loop *loop);
	void (*stop)(void);
};
extern const struct demo_scenario demo_scenarios[]; /* ends with name NULL; the first is healthy */
int demo_scenario_find(const char *name);           /* index, or -1 */
void demo_scenario_names(FILE *out);

/* for the scenarios: one repeating timer is all that most of them need */
uint64_t demo_now_ns(void);
void demo_sleep_ns(uint64_t ns);
int demo_ticker_start(struct ps_loop *loop, ps_fn *fn, uint64_t after_ns, uint64_t repeat_ns);
void demo_ticker_stop(void);

/* the scenarios with files of their own */
int demo_regex_start(struct ps_loop *loop);   /* demo_parse.c */
int demo_json_start(struct ps_loop *loop);
void demo_json_stop(void);
int demo_ticks_start(struct ps_loop *loop);   /* demo_ticks.c */
int demo_dns_start(struct ps_loop *loop);     /* demo_dns.c */
int demo_slow_start(struct ps_loop *loop);    /* demo_slow.c */
void demo_slow_stop(void);

/* ---- the server process ---- */

struct demo_server {
	pid_t pid;
	int control;                /* a byte written to it is the scenario's index; closed = the server ends */
	uint16_t port;
};
int demo_server_start(struct demo_server *server, int scenario, uint16_t port); /* port 0 = any; 0 or -errno */
int demo_server_switch(const struct demo_server *server, int scenario);
void demo_server_stop(struct demo_server *server);

uint16_t demo_port(void);                           /* in the server process: that the user chose; 0 = none */
void demo_serve_hello(struct ps_http_request *request, void *arg);

/* ---- load: a thread of the server process with clients on a loop of its own ---- */

struct demo_load;
int demo_load_start(struct demo_load **load, uint16_t port, unsigned clients); /* 0 or -errno */
void demo_load_stop(struct demo_load *load);

/* ---- thread-per-connection: the other model, side by side with the loop's ---- */

int demo_threads_start(struct ps_loop *loop);
void demo_threads_stop(void);

#endif
