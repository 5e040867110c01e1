/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recent past in small pieces: tenths of a second for the timeline, bands
 * of slice lengths for the spectrogram, shares of 10 s for starvation, samples
 * each 5 s of what may leak, the last jobs of each worker.
 */
#include "model_own.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BEAT_NS 100000000ull
#define SPAN_NS (10 * NS_PER_SECOND)
#define TREND_NS (5 * NS_PER_SECOND)
#define BAND_SHIFT 15 /* the first band ends at 32 us */

uint64_t model_band_ns(unsigned band)
{
	return band + 1 < MODEL_BANDS ? 1ull << (BAND_SHIFT + band) : UINT64_MAX;
}

void trend_slices(struct slot *slot, uint64_t ns, uint64_t count)
{
	unsigned band = 0;
	while (band + 1 < MODEL_BANDS && ns >= model_band_ns(band))
		band++;
	slot->bands[band] += (uint32_t)count;
}

/* Adds [from, to) to one of a beat's figures, `offset` bytes into it; `back` takes it off again. */
void trend_spread(struct loop_own *loop, uint64_t from, uint64_t to, size_t offset, int back)
{
	if (to - from > MODEL_BEATS * BEAT_NS)
		from = to - MODEL_BEATS * BEAT_NS;
	while (from < to) {
		uint64_t number = from / BEAT_NS, end = least((number + 1) * BEAT_NS, to);
		struct beat *beat = &loop->pub.beats[number % MODEL_BEATS];
		if (beat->number < number)
			*beat = (struct beat){ .number = number };
		uint32_t *sum = (uint32_t *)(void *)((char *)beat + offset), us = (uint32_t)((end - from) / 1000);
		if (beat->number == number)
			*sum = !back ? *sum + us : *sum > us ? *sum - us : 0;
		from = end;
	}
}

void trend_share(struct share *share, uint64_t ts, uint64_t ns)
{
	uint64_t span = ts / SPAN_NS;
	if (span > share->span) {
		share->before_ns = share->span + 1 == span ? share->now_ns : 0;
		share->now_ns = 0;
		share->span = span;
	}
	share->now_ns += ns;
}

void trend_sample(struct loop_own *loop, uint64_t now_ns)
{
	struct loop *pub = &loop->pub;
	uint32_t last = (pub->trend_count - 1) % MODEL_TREND;
	if (pub->trend_count && minus(now_ns, pub->trend[last].ns) < TREND_NS)
		return;
	pub->trend[pub->trend_count++ % MODEL_TREND] =
		(struct trend){ .ns = now_ns, .fds = pub->fd_count - loop->closed_fds, .timers = pub->timers_armed };
}

/* Adds [from, to) to one of the figures of the thread's seconds, `offset` bytes into them. */
static void spread_work(struct thread *thread, uint64_t from_ns, uint64_t to_ns, size_t offset)
{
	if (!thread->worked)
		thread->worked = calloc(MODEL_SLOTS, sizeof(*thread->worked));
	if (!thread->worked || from_ns >= to_ns)
		return;
	if (to_ns - from_ns > MODEL_SLOTS * NS_PER_SECOND)
		from_ns = to_ns - MODEL_SLOTS * NS_PER_SECOND;
	while (from_ns < to_ns) {
		uint64_t second = from_ns / NS_PER_SECOND, end = least((second + 1) * NS_PER_SECOND, to_ns);
		struct work_slot *slot = &thread->worked[second % MODEL_SLOTS];
		if (slot->second < second)
			*slot = (struct work_slot){ .second = second };
		if (slot->second == second)
			*(uint32_t *)(void *)((char *)slot + offset) += (uint32_t)((end - from_ns + 500) / 1000);
		from_ns = end;
	}
}

void trend_job(struct thread *thread, uint64_t from_ns, uint64_t to_ns, uint32_t kind, const char *name)
{
	if (!thread->past)
		thread->past = calloc(MODEL_PAST_JOBS, sizeof(*thread->past));
	spread_work(thread, from_ns, to_ns, offsetof(struct work_slot, kind_us) + kind * sizeof(uint32_t));
	if (thread->past) /* without memory the timeline has a gap, no more */
		thread->past[thread->past_count++ % MODEL_PAST_JOBS] = (struct past_job){ from_ns, to_ns, kind, name };
}

void trend_blocked(struct thread *thread, uint64_t from_ns, uint64_t to_ns)
{
	spread_work(thread, from_ns, to_ns, offsetof(struct work_slot, blocked_us));
}
