/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock is held while rings are emptied, so whoever takes a source back has
 * it for himself. The thread has all signals blocked: they are the session's.
 */
#include "relief.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define ROOM 8
#define GAP_NS 5000000 /* between two rounds */

struct relief {
	pthread_mutex_t lock;
	pthread_cond_t stop;
	pthread_t thread;
	int is_running; /* the session's */
	int is_stopping; /* from here on under the lock */
	size_t count;
	struct {
		const struct source *source;
		void *state;
	} open[ROOM];
};

static struct timespec next_round(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += GAP_NS;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

static void *relieve(void *arg)
{
	struct relief *relief = arg;
	pthread_mutex_lock(&relief->lock);
	while (!relief->is_stopping) {
		for (size_t i = 0; i < relief->count; i++)
			relief->open[i].source->relieve(relief->open[i].state);
		const struct timespec at = next_round();
		pthread_cond_timedwait(&relief->stop, &relief->lock, &at);
	}
	pthread_mutex_unlock(&relief->lock);
	return NULL;
}

struct relief *relief_open(void)
{
	struct relief *relief = calloc(1, sizeof(*relief));
	pthread_condattr_t attr;
	if (!relief)
		return NULL;
	pthread_mutex_init(&relief->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&relief->stop, &attr);
	pthread_condattr_destroy(&attr);
	return relief;
}

void relief_close(struct relief *relief)
{
	if (!relief)
		return;
	relief_stop(relief);
	pthread_cond_destroy(&relief->stop);
	pthread_mutex_destroy(&relief->lock);
	free(relief);
}

void relief_start(struct relief *relief)
{
	sigset_t all, before;
	if (!relief || relief->is_running)
		return;
	relief->is_stopping = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	relief->is_running = !pthread_create(&relief->thread, NULL, relieve, relief);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (relief->is_running)
		pthread_setname_np(relief->thread, "relief");
}

void relief_stop(struct relief *relief)
{
	if (!relief || !relief->is_running)
		return;
	pthread_mutex_lock(&relief->lock);
	relief->is_stopping = 1;
	pthread_cond_signal(&relief->stop);
	pthread_mutex_unlock(&relief->lock);
	pthread_join(relief->thread, NULL);
	relief->is_running = 0;
}

void relief_remove(struct relief *relief, const struct source *source)
{
	size_t i = 0;
	if (!relief || !source->relieve)
		return;
	pthread_mutex_lock(&relief->lock);
	while (i < relief->count && relief->open[i].source != source)
		i++;
	if (i < relief->count)
		relief->open[i] = relief->open[--relief->count];
	pthread_mutex_unlock(&relief->lock);
}

void relief_add(struct relief *relief, const struct source *source, void *state)
{
	if (!relief || !source->relieve || !state)
		return;
	pthread_mutex_lock(&relief->lock);
	if (relief->count < ROOM) {
		relief->open[relief->count].source = source;
		relief->open[relief->count++].state = state;
	}
	pthread_mutex_unlock(&relief->lock);
}
