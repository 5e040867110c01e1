/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread has all signals blocked: they are the session's. */
#include "late_close.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct late_close {
	pthread_t thread;
	int count;
	struct bpf_link *links[];
};

static void *end_links(void *arg)
{
	struct late_close *late = arg;
	for (int i = 0; i < late->count; i++)
		bpf_link__destroy(late->links[i]);
	return NULL;
}

static int begin_thread(struct late_close *late)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&late->thread, NULL, end_links, late);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_setname_np(late->thread, "late_close");
	return err;
}

struct late_close *late_close_begin(struct bpf_link *const *links, int count)
{
	struct late_close *late = malloc(sizeof(*late) + (size_t)count * sizeof(*links));
	if (late) {
		late->count = count;
		memcpy(late->links, links, (size_t)count * sizeof(*links));
		if (!begin_thread(late))
			return late;
	}
	for (int i = 0; i < count; i++)
		bpf_link__destroy(links[i]);
	free(late);
	return NULL;
}

void late_close_end(struct late_close *late)
{
	if (!late)
		return;
	pthread_join(late->thread, NULL);
	free(late);
}
