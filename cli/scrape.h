/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP side of serve: answers scrapers with the metrics of a model. Our own
 * loop serves them; requests are small, few and short-lived by its limits, so a
 * slow, greedy or broken scraper costs its own connection and nothing else.
 */
#ifndef SCRAPE_H
#define SCRAPE_H

#include "model.h"
#include "ps_loop.h"

#define SCRAPE_REQUEST     4096u          /* bytes of a request's head */
#define SCRAPE_CONNECTIONS 8u
#define SCRAPE_HEADER_NS   5000000000ull  /* from its first byte to its end */
#define SCRAPE_IDLE_NS     30000000000ull /* between requests, and for reading the answer */

struct scrape {
	struct ps_http_server *server;
	const struct model *model;        /* set before; read at each request */
	uint64_t scrapes, refused;
};

/* "127.0.0.1:9464", "[::1]:9464", ":9464" for all addresses. 0 or -EINVAL. */
int scrape_address(const char *text, char host[64], uint16_t *port);
int scrape_open(struct scrape *scrape, struct ps_loop *loop, const char *host, uint16_t port); /* -errno */
void scrape_close(struct scrape *scrape);

/* 1 when the scraper would rather have OpenMetrics than Prometheus' text. NULL = no such header. */
int scrape_wants_openmetrics(const char *accept);

#endif
