/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates from two pictures of the counters of the chosen loop. Owns the
 * pictures' memory. A rate exists only between two pictures of the same loop;
 * a descriptor that was not in the older one has counted from zero since.
 *
 * Where the kernel counts what is done with descriptors, it tells so once a
 * second, and the probe that does it is told after that: between two tellings
 * nothing has grown, which is not a rate of 0. So their rates are from telling
 * to telling. When that probe rests between moments that it counts in, they are
 * from moment to moment, and lower bounds.
 */
#include "rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPAN_NS 1000000000ull
#define TELLING_NS 900000000ull /* a second, by a clock that is read a little sooner or later */
#define REST_NS 32000000000ull /* a probe rests no longer */

static uint64_t key_of(const struct fd_stat *fd)
{
	return (uint64_t)(uint32_t)fd->fd << 32 | fd->generation;
}

static int compare_keys(const void *a, const void *b)
{
	const struct fd_counters *x = a, *y = b;
	return x->key < y->key ? -1 : x->key > y->key;
}

static int reserve_fds(struct fd_picture *picture, size_t count)
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

static void copy_fds(struct fd_picture *picture, const struct loop *loop)
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

static int is_due(const struct fd_picture *recent, const struct fd_picture *next)
{
	uint64_t since = next->counted_ns - recent->counted_ns;
	if (next->is_partial && next->ready == recent->ready && since < REST_NS)
		return 0;
	return next->counted_ns < recent->counted_ns || since >= TELLING_NS;
}

static uint64_t sum_ready(const struct loop *loop)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < loop->fd_count; i++)
		sum += loop->fds[i].ready == PS_UNKNOWN ? 0 : loop->fds[i].ready;
	return sum;
}

static int counts(const struct probe *probe)
{
	return probe->state == PS_PROBE_STATE_ON || probe->state == PS_PROBE_STATE_FALLBACK;
}

static int take_fds(struct rates *rates, const struct model *model, const struct loop *loop)
{
	const struct probe *probe = &model->probes[PS_PROBE_READY];
	struct fd_picture *recent = &rates->fd_recent, next = rates->fd_old;
	int same = recent->counted_ns && recent->tid == loop->tid && recent->poller_fd == loop->poller_fd;
	int tells = (loop->flags & PS_LOOP_RING) != 0; /* each event of its descriptors, as it happens */

	if (!tells && !counts(probe)) {
		rates->fd_span_ns = 0;
		return 0;
	}
	next.counted_ns = tells ? model->now_ns : probe->told_ns;
	next.tid = loop->tid;
	next.poller_fd = loop->poller_fd;
	next.ready = sum_ready(loop);
	next.is_partial = !tells && probe->weakened;
	if (same && !is_due(recent, &next))
		return 0;
	int err = reserve_fds(&next, loop->fd_count);
	if (err)
		return err;
	rates->fd_old = *recent;
	rates->fd_span_ns = same && next.counted_ns > recent->counted_ns ? next.counted_ns - recent->counted_ns : 0;
	copy_fds(&next, loop);
	*recent = next;
	return 0;
}

int rates_take(struct rates *rates, const struct model *model, const struct loop *loop, const struct pool *pool)
{
	struct picture *recent = &rates->recent;
	int same = recent->at_ns && recent->tid == loop->tid && recent->poller_fd == loop->poller_fd;

	if (same && model->now_ns >= recent->at_ns && model->now_ns - recent->at_ns < SPAN_NS)
		return take_fds(rates, model, loop);
	rates->old = *recent;
	rates->span_ns = same && model->now_ns > recent->at_ns ? model->now_ns - recent->at_ns : 0;
	recent->at_ns = model->now_ns;
	recent->tid = loop->tid;
	recent->poller_fd = loop->poller_fd;
	recent->own_cpu_ns = model->own_cpu_ns;
	for (unsigned kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		recent->submitted[kind] = pool ? pool->kinds[kind].submitted : PS_UNKNOWN;
	return take_fds(rates, model, loop);
}

/* growth per second between two counters; negative = not known */
static double growth(uint64_t span_ns, uint64_t before, uint64_t now)
{
	if (!span_ns || before == PS_UNKNOWN || now == PS_UNKNOWN || now < before)
		return -1;
	return (double)(now - before) * 1e9 / (double)span_ns;
}

static const struct fd_counters *find_fd(const struct fd_picture *picture, uint64_t key)
{
	struct fd_counters wanted = { .key = key };
	if (!picture->fd_count)
		return NULL;
	return bsearch(&wanted, picture->fds, picture->fd_count, sizeof(wanted), compare_keys);
}

int rates_fd(const struct rates *rates, const struct fd_stat *fd, struct fd_rate *rate)
{
	static const struct fd_counters zero;
	const struct fd_counters *now = find_fd(&rates->fd_recent, key_of(fd));
	const struct fd_counters *before = find_fd(&rates->fd_old, key_of(fd));

	if (!rates->fd_span_ns || !now)
		return 0;
	if (!before)
		before = &zero;
	rate->ready = growth(rates->fd_span_ns, before->ready, now->ready);
	rate->read_bytes = growth(rates->fd_span_ns, before->read_bytes, now->read_bytes);
	rate->written_bytes = growth(rates->fd_span_ns, before->written_bytes, now->written_bytes);
	double callback = growth(rates->fd_span_ns, before->callback_ns, now->callback_ns);
	rate->is_partial = rates->fd_recent.is_partial;
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
	free(rates->fd_old.fds);
	free(rates->fd_recent.fds);
	memset(rates, 0, sizeof(*rates));
}
