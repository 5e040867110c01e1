/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates from two pictures of the counters of the chosen loop. Owns the
 * pictures' memory. A rate exists only between two pictures of the same loop;
 * a descriptor that was not in the older one has counted from zero since.
 *
 * Where the kernel counts what is done with descriptors, it tells so once a
 * second, and the probe that does it is told after that: between two tellings
 * nothing has grown, which is not a rate of 0. So their rates are from telling
 * to telling, not from picture to picture.
 */
#include "rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_NS 1000000000ull
#define TELLING_NS 900000000ull /* a second, by a clock that is read a little sooner or later */

static uint64_t key_of(const struct fd_stat *fd)
{
	return (uint64_t)(uint32_t)fd->fd << 32 | fd->generation;
}

static int compare_keys(const void *a, const void *b)
{
	const struct fd_counters *x = a, *y = b;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int reserve_fds(struct picture *picture, size_t count)
{
	if (count <= picture->fd_room)
		return 0;
	size_t room = count + count / 2;
	struct fd_counters *fds = reallocarray(picture->fds, room, sizeof(*fds));
	if (!fds)
		return -ENOMEM;
	picture->fds = fds;
	picture->fd_room = room;
	return 0;
}

static void copy_fds(struct picture *picture, const struct loop *loop)
{
	picture->fd_count = loop->fd_count;
	for (size_t i = 0; i < loop->fd_count; i++) {
		const struct fd_stat *fd = &loop->fds[i];
		picture->fds[i] = (struct fd_counters){ key_of(fd), fd->ready, fd->read_bytes, fd->written_bytes,
							fd->callback_ns };
	}
	if (picture->fd_count)
		qsort(picture->fds, picture->fd_count, sizeof(*picture->fds), compare_keys);
}

static uint64_t counted_until(const struct model *model, const struct loop *loop)
{
	return loop->flags & PS_LOOP_RING ? model->now_ns : model->probes[PS_PROBE_READY].told_ns;
}

/* What is not told in two seconds is not waited for, nor what never is: there are other rates than those of descriptors. */
static int is_due(const struct picture *recent, uint64_t now_ns, uint64_t counted_ns)
{
	uint64_t since = now_ns - recent->at_ns;
	if (now_ns < recent->at_ns || since >= 2 * SPAN_NS || (since >= SPAN_NS && !counted_ns))
		return 1;
	return since >= SPAN_NS && counted_ns - recent->counted_ns >= TELLING_NS;
}

int rates_take(struct rates *rates, const struct model *model, const struct loop *loop, const struct pool *pool)
{
	struct picture *recent = &rates->recent;
	int same = recent->at_ns && recent->tid == loop->tid && recent->poller_fd == loop->poller_fd;
	uint64_t counted_ns = counted_until(model, loop);

	if (same && !is_due(recent, model->now_ns, counted_ns))
		return 0;
	struct picture next = rates->old;
	int err = reserve_fds(&next, loop->fd_count);
	if (err)
		return err;
	rates->old = *recent;
	rates->span_ns = same && model->now_ns > recent->at_ns ? model->now_ns - recent->at_ns : 0;
	rates->fd_span_ns = 0;
	if (same && recent->counted_ns && counted_ns > recent->counted_ns)
		rates->fd_span_ns = counted_ns - recent->counted_ns;
	next.at_ns = model->now_ns;
	next.counted_ns = counted_ns;
	next.pid = loop->pid;
	next.tid = loop->tid;
	next.poller_fd = loop->poller_fd;
	next.own_cpu_ns = model->own_cpu_ns;
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		next.submitted[kind] = pool ? pool->kinds[kind].submitted : PS_UNKNOWN;
	copy_fds(&next, loop);
	*recent = next;
	return 0;
}

/* growth per second between two counters; negative = not known */
static double growth(uint64_t span_ns, uint64_t before, uint64_t now)
{
	if (!span_ns || before == PS_UNKNOWN || now == PS_UNKNOWN || now < before)
		return -1;
	return (double)(now - before) * 1e9 / (double)span_ns;
}

static const struct fd_counters *find_fd(const struct picture *picture, uint64_t key)
{
	struct fd_counters wanted = { .key = key };
	if (!picture->fd_count)
		return NULL;
	return bsearch(&wanted, picture->fds, picture->fd_count, sizeof(wanted), compare_keys);
}

int rates_fd(const struct rates *rates, const struct fd_stat *fd, struct fd_rate *rate)
{
	static const struct fd_counters zero;
	const struct fd_counters *now = find_fd(&rates->recent, key_of(fd));
	const struct fd_counters *before = find_fd(&rates->old, key_of(fd));

	if (!rates->fd_span_ns || !now)
		return 0;
	if (!before)
		before = &zero;
	rate->ready = growth(rates->fd_span_ns, before->ready, now->ready);
	rate->read_bytes = growth(rates->fd_span_ns, before->read_bytes, now->read_bytes);
	rate->written_bytes = growth(rates->fd_span_ns, before->written_bytes, now->written_bytes);
	double callback = growth(rates->fd_span_ns, before->callback_ns, now->callback_ns);
	rate->callback_share = callback < 0 ? -1 : callback / 1e9;
	return 1;
}

double rates_own_cpu(const struct rates *rates)
{
	double cpu = growth(rates->span_ns, rates->old.own_cpu_ns, rates->recent.own_cpu_ns);
	return cpu < 0 ? -1 : cpu / 1e9;
}

double rates_work(const struct rates *rates, unsigned kind)
{
	return growth(rates->span_ns, rates->old.submitted[kind], rates->recent.submitted[kind]);
}

void rates_close(struct rates *rates)
{
	free(rates->old.fds);
	free(rates->recent.fds);
	memset(rates, 0, sizeof(*rates));
}
