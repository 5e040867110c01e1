/* SPDX-License-Identifier: BSD-2-Clause */
/* Name lookup: getaddrinfo() in a worker. Host and service share one copied text, "host\0service\0". */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

static int64_t dns_lookup(struct ps_work *work)
{
	const struct work_params *p = &work->params;
	const char *host = p->text, *service = p->text + p->in_bytes;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

	return getaddrinfo(*host ? host : NULL, *service ? service : NULL, &hints, p->out);
}

int ps_dns_lookup(struct ps_loop *loop, const char *host, const char *service, struct addrinfo **out, ps_done_fn *done,
		  void *arg)
{
	if (!loop || !out || !done || (!host && !service))
		return -EINVAL;
	size_t host_bytes = host ? strlen(host) + 1 : 1, service_bytes = service ? strlen(service) + 1 : 1;
	struct ps_work *work = work_open(loop, PS_WORK_DNS, 0, dns_lookup, done, arg);
	if (!work)
		return -ENOMEM;
	char *text = calloc(1, host_bytes + service_bytes);
	if (!text) {
		handle_free(&work->handle);
		return -ENOMEM;
	}
	memcpy(text, host ? host : "", host_bytes);
	memcpy(text + host_bytes, service ? service : "", service_bytes);
	*out = NULL;
	work->params = (struct work_params){ .text = text, .in_bytes = host_bytes, .out = out };
	return work_submit(work);
}
