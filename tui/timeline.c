/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cells of the timeline out of what the model keeps: tenths of a second for a
 * minute, seconds for two, the last jobs of each worker, stalls. A cell of
 * which nothing is kept is blank, never idle.
 */
#include "timeline.h"

#include <string.h>

#include "view.h"

#define BEAT_NS 100000000ull
#define SECOND_NS 1000000000ull

static const uint64_t zooms[TIMELINE_ZOOMS] = { BEAT_NS,   2 * BEAT_NS,	  5 * BEAT_NS,
						SECOND_NS, 2 * SECOND_NS, 5 * SECOND_NS };
const char timeline_legend[] =
	". waiting  t timers  e pending  i idle  r prepare  P poll  k check  x closing  # busy  ! stall  ? lost"
	"   jobs: F fs  D dns  C crypto  U user  O other  B blocked";

static const char phase_letters[PS_PHASE_COUNT] = {
	[PS_PHASE_OTHER] = '#',	  [PS_PHASE_TIMERS] = 't', [PS_PHASE_PENDING] = 'e', [PS_PHASE_IDLE] = 'i',
	[PS_PHASE_PREPARE] = 'r', [PS_PHASE_POLL] = 'P',   [PS_PHASE_CHECK] = 'k',   [PS_PHASE_CLOSING] = 'x',
};
static const char kind_letters[PS_WORK_KIND_COUNT] = {
	[PS_WORK_FS] = 'F', [PS_WORK_DNS] = 'D', [PS_WORK_CRYPTO] = 'C', [PS_WORK_USER] = 'U', [PS_WORK_OTHER] = 'O',
};

uint64_t timeline_cell_ns(int zoom)
{
	return zooms[zoom < 0 ? 0 : zoom < TIMELINE_ZOOMS ? zoom : TIMELINE_ZOOMS - 1];
}

/* ---- loops ---- */

static void add_beats(const struct loop *loop, uint64_t from_ns, uint64_t to_ns, struct timeline_cell *cell)
{
	for (uint64_t number = from_ns / BEAT_NS; number < (to_ns + BEAT_NS - 1) / BEAT_NS; number++) {
		const struct beat *beat = &loop->beats[number % MODEL_BEATS];
		if (beat->number != number)
			continue;
		cell->known = 1;
		cell->busy_ns += beat->busy_us * 1000ull;
		cell->wait_ns += beat->wait_us * 1000ull;
		for (int phase = 0; phase < PS_PHASE_COUNT; phase++)
			cell->phase_ns[phase] += beat->phase_us[phase] * 1000ull;
	}
}

static void add_slots(const struct loop *loop, uint64_t from_ns, uint64_t to_ns, int whole, struct timeline_cell *cell)
{
	for (uint64_t second = from_ns / SECOND_NS; second < (to_ns + SECOND_NS - 1) / SECOND_NS; second++) {
		const struct slot *slot = view_slot(loop, second);
		if (!slot)
			continue;
		cell->lost += slot->lost;
		if (!whole)
			continue;
		cell->known = 1;
		cell->busy_ns += slot->busy_ns;
		cell->wait_ns += slot->wait_ns;
		for (int phase = 0; phase < PS_PHASE_COUNT; phase++)
			cell->phase_ns[phase] += slot->phase_ns[phase];
	}
}

static void add_stalls(const struct view *view, const struct loop *loop, uint64_t from_ns, uint64_t to_ns,
		       struct timeline_cell *cell)
{
	for (size_t i = view->model->stall_count; i-- > 0;) {
		const struct stall *stall = view->model->stalls[i];
		if (stall->start_ns + stall->duration_ns + 10 * SECOND_NS < from_ns)
			break; /* ended long before; the ones before it too, or nearly */
		if (stall->loop == loop && stall->start_ns < to_ns && stall->start_ns + stall->duration_ns > from_ns &&
		    (!cell->stall || stall->duration_ns > cell->stall->duration_ns))
			cell->stall = stall;
	}
}

/* ---- threads ---- */

static uint64_t overlap(uint64_t from_a, uint64_t to_a, uint64_t from_b, uint64_t to_b)
{
	uint64_t from = from_a > from_b ? from_a : from_b, to = to_a < to_b ? to_a : to_b;
	return to > from ? to - from : 0;
}

/* tenths: the jobs themselves, as far back as they are kept */
static void add_past(const struct thread *thread, uint64_t from_ns, uint64_t to_ns, struct timeline_cell *cell)
{
	uint32_t count = thread->past_count < MODEL_PAST_JOBS ? thread->past_count : MODEL_PAST_JOBS;
	uint64_t oldest = thread->past_count > MODEL_PAST_JOBS ? UINT64_MAX : 0;
	for (uint32_t i = 0; thread->past && i < count; i++) {
		const struct past_job *job = &thread->past[i];
		oldest = job->from_ns < oldest ? job->from_ns : oldest;
		cell->kind_ns[job->kind < PS_WORK_KIND_COUNT ? job->kind : PS_WORK_OTHER] +=
			overlap(job->from_ns, job->to_ns, from_ns, to_ns);
	}
	cell->known = from_ns >= oldest;
}

static void add_worked(const struct thread *thread, uint64_t from_ns, uint64_t to_ns, struct timeline_cell *cell)
{
	for (uint64_t second = from_ns / SECOND_NS; thread->worked && second < to_ns / SECOND_NS; second++) {
		const struct work_slot *slot = &thread->worked[second % MODEL_SLOTS];
		for (int kind = 0; slot->second == second && kind < PS_WORK_KIND_COUNT; kind++)
			cell->kind_ns[kind] += slot->kind_us[kind] * 1000ull;
		cell->busy_ns += slot->second == second ? slot->blocked_us * 1000ull : 0;
	}
	cell->known = 1;
}

static void add_jobs(const struct view *view, const struct thread *thread, uint64_t from_ns, uint64_t to_ns,
		     struct timeline_cell *cell)
{
	uint64_t now = view->model->now_ns, length = to_ns - from_ns;
	if (length >= SECOND_NS)
		add_worked(thread, from_ns, to_ns, cell);
	else
		add_past(thread, from_ns, to_ns, cell);
	if (thread->work && thread->work_kind < PS_WORK_KIND_COUNT)
		cell->kind_ns[thread->work_kind] += overlap(thread->work_since_ns, now, from_ns, to_ns);
	if (thread->blocked_op)
		cell->busy_ns += overlap(thread->blocked_since_ns, now, from_ns, to_ns);
	for (int kind = 0; kind < PS_WORK_KIND_COUNT; kind++)
		cell->busy_ns += cell->kind_ns[kind];
	cell->busy_ns = cell->busy_ns < length ? cell->busy_ns : length;
	cell->known &= from_ns < now && from_ns >= view->model->start_ns && now - from_ns < MODEL_SLOTS * SECOND_NS;
	cell->wait_ns = length - cell->busy_ns;
}

void timeline_fill(const struct view *view, const struct timeline_row *row, uint64_t from_ns, uint64_t to_ns,
		   struct timeline_cell *cell)
{
	memset(cell, 0, sizeof(*cell));
	if (row->thread) {
		add_jobs(view, row->thread, from_ns, to_ns, cell);
		return;
	}
	int whole = to_ns - from_ns >= SECOND_NS;
	if (!whole)
		add_beats(row->loop, from_ns, to_ns, cell);
	add_slots(row->loop, from_ns, to_ns, whole, cell);
	add_stalls(view, row->loop, from_ns, to_ns, cell);
}

static int greatest(const uint64_t *values, int count)
{
	int best = 0;
	for (int i = 1; i < count; i++)
		if (values[i] > values[best])
			best = i;
	return best;
}

char timeline_letter(const struct timeline_row *row, const struct timeline_cell *cell)
{
	if (cell->stall)
		return '!';
	if (cell->lost)
		return '?';
	if (!cell->known)
		return ' ';
	if (row->thread) {
		int kind = greatest(cell->kind_ns, PS_WORK_KIND_COUNT);
		if (cell->busy_ns * 4 < cell->busy_ns + cell->wait_ns) /* a quarter of it is worth a letter */
			return '.';
		return cell->kind_ns[kind] ? kind_letters[kind] : 'B';
	}
	if (cell->busy_ns * 4 < cell->busy_ns + cell->wait_ns)
		return '.';
	int phase = greatest(cell->phase_ns, PS_PHASE_COUNT);
	return cell->phase_ns[phase] * 2 >= cell->busy_ns ? phase_letters[phase] : '#';
}
