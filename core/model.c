/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model's life and its one entrance. model_apply() checks the record
 * against the schema, moves the model's only clock (now_ns) and calls the
 * handler of the event; nothing else writes the model.
 *
 * A handler sees a well-formed record but believes none of its values. Room
 * that a bound refuses is counted in `dropped`; memory that the system refuses
 * is -ENOMEM, with the model whole and usable.
 */
#include "model_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

#define STALL_NS_DEFAULT   50000000ull
#define MAX_STALLS_DEFAULT 4096u
#define MAX_FDS_DEFAULT    131072u

static handler_fn *const handlers[PS_EVENT_MAX] = {
	[PS_EV_STRING] = on_string,
	[PS_EV_FRAME] = on_frame,
	[PS_EV_STACK] = on_stack,
	[PS_EV_SYMBOL] = on_symbol,
	[PS_EV_CLOCK] = on_clock,
	[PS_EV_LOST] = on_lost,
	[PS_EV_PROBE] = on_probe,
	[PS_EV_OWN_COST] = on_own_cost,
	[PS_EV_PROCESS] = on_process,
	[PS_EV_PROCESS_EXIT] = on_process_exit,
	[PS_EV_PROCESS_LEFT] = on_process_left,
	[PS_EV_THREAD] = on_thread,
	[PS_EV_THREAD_EXIT] = on_thread_exit,
	[PS_EV_LOOP] = on_loop,
	[PS_EV_POLL_ENTER] = on_poll_enter,
	[PS_EV_POLL_RETURN] = on_poll_return,
	[PS_EV_ITERATION] = on_iteration,
	[PS_EV_PHASE] = on_phase,
	[PS_EV_CALLBACK_BEGIN] = on_callback_begin,
	[PS_EV_CALLBACK_END] = on_callback_end,
	[PS_EV_FD_READY] = on_fd_ready,
	[PS_EV_FD_INTEREST] = on_fd_interest,
	[PS_EV_FD_LIFE] = on_fd_life,
	[PS_EV_FD_IO] = on_fd_io,
	[PS_EV_BACKPRESSURE] = on_backpressure,
	[PS_EV_TIMER_SET] = on_timer_set,
	[PS_EV_TIMER_STOPPED] = on_timer_stopped,
	[PS_EV_TIMER_FIRED] = on_timer_fired,
	[PS_EV_TICKS] = on_ticks,
	[PS_EV_IMMEDIATES] = on_immediates,
	[PS_EV_LOOP_GAUGES] = on_loop_gauges,
	[PS_EV_POLLER] = on_poller,
	[PS_EV_FD_STATE] = on_fd_state,
	[PS_EV_FD_TURN] = on_fd_turn,
	[PS_EV_FD_COUNTS] = on_fd_counts,
	[PS_EV_LOOP_SNAPSHOT] = on_loop_snapshot,
	[PS_EV_TIMER_NODE] = on_timer_node,
	[PS_EV_TIMER_GROUP] = on_timer_group,
	[PS_EV_HANDLE_KIND] = on_handle_kind,
	[PS_EV_WORK_SUBMITTED] = on_work_submitted,
	[PS_EV_WORK_STARTED] = on_work_started,
	[PS_EV_WORK_FINISHED] = on_work_finished,
	[PS_EV_WORK_DELIVERED] = on_work_delivered,
	[PS_EV_WORK_CANCELLED] = on_work_cancelled,
	[PS_EV_POOL_GAUGES] = on_pool_gauges,
	[PS_EV_POOL_LIMITS] = on_pool_limits,
	[PS_EV_WORK_COST] = on_work_cost,
	[PS_EV_OFFCPU] = on_offcpu,
	[PS_EV_SAMPLE] = on_sample,
	[PS_EV_CPU_TIME] = on_cpu_time,
	[PS_EV_GC] = on_gc,
	[PS_EV_BLOCKED] = on_blocked,
	[PS_EV_UNBLOCKED] = on_unblocked,
	[PS_EV_SHED] = on_shed,
	[PS_EV_THROTTLED] = on_throttled,
	[PS_EV_TIMERS_DUE] = on_timers_due,
};

int array_room(struct model_own *model, void *array, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return 0;
	size_t wider = *room ? *room * 2 : 8;
	void *moved;
	memcpy(&moved, array, sizeof(moved)); /* the caller's pointer has a type of its own */
	/* cppcheck-suppress memleakOnRealloc ; the caller still has it */
	moved = realloc(moved, wider * size);
	if (!moved) {
		model->out_of_memory = 1;
		return -ENOMEM;
	}
	memcpy(array, &moved, sizeof(moved));
	*room = wider;
	return 0;
}

/* ---- what the observer says about itself ---- */

void on_clock(struct model_own *model, const void *record)
{
	const struct ps_ev_clock *clock = record;
	if (clock->realtime_ns)
		model->pub.realtime_offset_ns = clock->realtime_ns - clock->h.ts;
	int sweep = minus(clock->h.ts, model->swept_ns) >= NS_PER_SECOND;
	for (size_t i = 0; i < model->pub.loop_count; i++) {
		struct loop_own *loop = loop_own(model->pub.loops[i]);
		if (loop->pub.state == LOOP_GONE || loop->left || clock->h.ts < loop->accounted_ns)
			continue;
		loop_account(loop, clock->h.ts);
		loop->pub.last_ns = most(loop->pub.last_ns, clock->h.ts);
		stall_watch(model, loop, clock->h.ts);
		stall_refresh(model, loop, clock->h.ts);
		trend_sample(loop, clock->h.ts);
		if (sweep && loop->closed_fds)
			fds_sweep(model, loop, clock->h.ts);
	}
	for (size_t i = 0; i < model->pub.pool_count; i++) {
		struct pool_own *pool = (struct pool_own *)model->pub.pools[i];
		if (!pool->left)
			pool_account(pool, clock->h.ts);
	}
	for (size_t i = 0; sweep && i < model->pub.pool_count; i++)
		pool_estimate_renew((struct pool_own *)model->pub.pools[i]);
	if (sweep)
		model->swept_ns = clock->h.ts;
}

void on_lost(struct model_own *model, const void *record)
{
	const struct ps_ev_lost *lost = record;
	unsigned source = lost->source < PS_LOST_SOURCE_COUNT ? lost->source : PS_LOST_OTHER;
	if (!lost->count)
		return;
	model->pub.lost[source] += lost->count;
	model->pub.lost_total += lost->count;
	model->pub.lost_last_ns = most(model->pub.lost_last_ns, lost->h.ts);
	for (size_t i = 0; i < model->pub.loop_count; i++) {
		struct loop_own *loop = loop_own(model->pub.loops[i]);
		struct slot *slot = loop->pub.state == LOOP_GONE ? NULL : loop_slot(loop, lost->h.ts);
		if (slot)
			slot->lost += lost->count;
		loop->slice_lossy = 1;
	}
}

/* Growth per second of a counter between two tellings `since` ns apart. */
static uint64_t per_second(uint64_t now, uint64_t before, uint64_t since)
{
	if (now == PS_UNKNOWN || before == PS_UNKNOWN || !since || now < before)
		return PS_UNKNOWN;
	return (uint64_t)((double)(now - before) * NS_PER_SECOND / (double)since);
}

void on_probe(struct model_own *model, const void *record)
{
	const struct ps_ev_probe *probe = record;
	if (probe->group >= PS_PROBE_GROUP_COUNT || probe->state >= PS_PROBE_STATE_COUNT) {
		model->pub.malformed++;
		return;
	}
	struct probe *known = &model->pub.probes[probe->group];
	uint64_t since = known->told_ns && probe->h.ts > known->told_ns ? probe->h.ts - known->told_ns : 0;
	*known = (struct probe){
		.group = probe->group,
		.state = probe->state,
		.reason = names_string(model->names, probe->reason),
		.hits_per_s = per_second(probe->hits, known->hits, since),
		.cost_per_s = per_second(probe->cost_ns, known->cost_ns, since),
		.budget = probe->budget_ns,
		.hits = probe->hits,
		.cost_ns = probe->cost_ns,
		.told_ns = probe->h.ts,
		.weakened = probe->state == PS_PROBE_STATE_FALLBACK &&
			    (known->state == PS_PROBE_STATE_ON || known->weakened),
	};
	if (probe->group == PS_PROBE_RUNTIME && probe->state == PS_PROBE_STATE_DETACHED)
		pool_unfollow(model);
}

void on_own_cost(struct model_own *model, const void *record)
{
	const struct ps_ev_own_cost *cost = record;
	model->pub.own_cpu_ns = cost->cpu_ns;
	model->pub.own_rss_bytes = cost->rss_bytes;
}

/* ---- life ---- */

int model_open(struct model **out, const struct model_config *config)
{
	*out = NULL;
	struct model_own *model = calloc(1, sizeof(*model));
	if (!model)
		return -ENOMEM;
	if (config)
		model->pub.config = *config;
	struct model_config *set = &model->pub.config;
	set->stall_ns = set->stall_ns ? set->stall_ns : STALL_NS_DEFAULT;
	set->max_stalls = set->max_stalls ? set->max_stalls : MAX_STALLS_DEFAULT;
	set->max_fds = set->max_fds ? set->max_fds : MAX_FDS_DEFAULT;
	model->pub.own_cpu_ns = model->pub.own_rss_bytes = PS_UNKNOWN;
	for (unsigned i = 0; i < PS_PROBE_GROUP_COUNT; i++)
		model->pub.probes[i] = (struct probe){ .group = i, .reason = "", .hits = PS_UNKNOWN, .cost_ns = PS_UNKNOWN,
						       .hits_per_s = PS_UNKNOWN, .cost_per_s = PS_UNKNOWN, .budget = PS_UNKNOWN };
	int err = names_open(&model->names);
	if (err) {
		free(model);
		return err;
	}
	*out = &model->pub;
	return 0;
}

static void free_loop(struct loop_own *loop)
{
	for (size_t i = 0; i < loop->pub.fd_count; i++) {
		free(loop->pub.fds[i].lag);
		free(loop->pub.fds[i].lag_kernel);
		free(loop->pub.fds[i].lag_turn);
	}
	free(loop->pub.fds);
	free(loop->pub.callbacks);
	free(loop->pub.timers);
	free(loop->pub.profile);
	free(loop->due_ns);
	table_free(&loop->profile_index);
	free(loop->pub.heap);
	free(loop->fd_waits);
	free(loop->armed);
	table_free(&loop->callback_index);
	table_free(&loop->fd_index);
	table_free(&loop->timer_index);
	table_free(&loop->armed_index);
	free(loop);
}

void model_close(struct model *pub)
{
	if (!pub)
		return;
	struct model_own *model = (struct model_own *)pub;
	for (size_t i = 0; i < pub->process_count; i++) {
		table_free(&((struct process_own *)pub->processes[i])->symbols);
		free(pub->processes[i]);
	}
	for (size_t i = 0; i < pub->thread_count; i++) {
		free(pub->threads[i]->past);
		free(pub->threads[i]->worked);
		free(pub->threads[i]);
	}
	for (size_t i = 0; i < pub->loop_count; i++)
		free_loop(loop_own(pub->loops[i]));
	for (size_t i = 0; i < pub->pool_count; i++)
		pool_free((struct pool_own *)pub->pools[i]);
	for (size_t i = 0; i < pub->stall_count; i++)
		free(pub->stalls[i]);
	free(pub->processes);
	free(pub->threads);
	free(pub->loops);
	free(pub->pools);
	for (size_t i = 0; i < pub->culprit_count; i++)
		free(pub->culprits[i].hist);
	free(pub->culprits);
	table_free(&model->culprits);
	free(model->stall_base);
	free(model->turns);
	table_free(&model->processes);
	table_free(&model->threads);
	table_free(&model->loops);
	names_release(model->names);
	free(model);
}

/* ---- the entrance ---- */

static int is_definition(unsigned event)
{
	return event <= PS_EV_SYMBOL;
}

/* Who exists and which probes there are is told while they are got ready: the watch begins with the first loop or clock. */
static int begins_watch(uint16_t event)
{
	return event == PS_EV_CLOCK || event >= PS_EV_LOOP;
}

int model_apply(struct model *pub, const struct ps_record *record, size_t bytes)
{
	struct model_own *model = (struct model_own *)pub;
	if ((uintptr_t)record % 8 || bytes < sizeof(*record)) {
		pub->malformed++;
		return 0;
	}
	if (!schema_check(record, bytes)) {
		int well_sized = record->size >= sizeof(*record) && record->size <= bytes && record->size % 8 == 0;
		if (well_sized && !schema_event(record->event))
			pub->unknown++;
		else
			pub->malformed++;
		return 0;
	}
	if (!is_definition(record->event)) {
		pub->events++;
		if (!pub->start_ns && begins_watch(record->event))
			pub->start_ns = record->ts;
		pub->now_ns = most(pub->now_ns, record->ts);
	}
	handlers[record->event](model, record);
	if (!model->out_of_memory)
		return 0;
	model->out_of_memory = 0;
	return -ENOMEM;
}

/* ---- lookups ---- */

const struct process *model_process(const struct model *model, uint32_t pid)
{
	return table_pointer(&((const struct model_own *)model)->processes, pid);
}

const struct thread *model_thread(const struct model *model, uint32_t tid)
{
	return table_pointer(&((const struct model_own *)model)->threads, tid);
}

const struct loop *model_loop(const struct model *model, uint32_t tid, int32_t poller_fd)
{
	return table_pointer(&((const struct model_own *)model)->loops, (uint64_t)tid << 32 | (uint32_t)poller_fd);
}

const struct stall *model_stall(const struct model *model, uint64_t id)
{
	return stall_find((const struct model_own *)model, id);
}

const struct frame *model_symbol(const struct model *model, uint32_t pid, uint64_t address)
{
	const struct process_own *process = table_pointer(&((const struct model_own *)model)->processes, pid);
	return process ? table_pointer(&process->symbols, address) : NULL;
}
