/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who comes later: the process that was launched, children of those under
 * watch, and one of these that became another program by exec. Each joins the
 * session when it is seen to run a loop.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "family.h"
#include "proc.h"
#include "session.h"

#define FOLLOW_NS    50000000 /* between two looks for children … */
#define FOLLOW_FACTOR 20      /* … or 20 times what a look takes of a CPU */
#define RENEW_NS    200000000 /* between two looks for other programs … */
#define RENEW_FACTOR 200      /* … or 200 times what a look takes */
#define YOUNG_NS     20000000 /* a fork that has not become its own program yet would be taken for its parent */

static uint64_t cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * 1000000000ull + used.tv_nsec;
}

static int is_watched(const struct attach *attach, pid_t pid)
{
	for (size_t i = 0; i < attach->process_count; i++)
		if (attach->processes[i].pid == pid)
			return 1;
	return 0;
}

static int is_young(pid_t pid)
{
	struct proc_stat stat;
	struct timespec now;
	uint64_t hz = sysconf(_SC_CLK_TCK);

	if (proc_read_stat(pid, 0, &stat))
		return 1;
	clock_gettime(CLOCK_BOOTTIME, &now);
	uint64_t born_ns = stat.start_ticks * (1000000000 / hz);
	return now.tv_sec * 1000000000ull + now.tv_nsec < born_ns + YOUNG_NS;
}

/*
 * The launched process has ended, but a source saw it run a loop before /proc was asked: a program may be done between
 * two looks. What it did waits in the source's ring, and what is left of it names it until who started it waits for it.
 */
static int ended_early(const struct attach *attach)
{
	struct proc_stat stat;

	if (!attach->options.expect || attach->process_count == attach->process_room || is_watched(attach, attach->roots[0]) ||
	    proc_read_stat(attach->roots[0], 0, &stat) || stat.state != 'Z')
		return 0;
	for (size_t i = 0; i < SOURCES; i++)
		if (attach->states[i] && session_sources[i]->has_met &&
		    session_sources[i]->has_met(attach->states[i], attach->roots[0]))
			return 1;
	return 0;
}

/* Of who is launched, read while it is there: what is left of it when it has ended is no more than its short name. */
static int note_launched(struct attach *attach, struct ps_ev_process *out)
{
	struct proc_id id;
	int err = proc_open_child(&id, attach->roots[0]);

	if (err)
		return err;
	err = proc_note(&id, attach->stream, out);
	proc_close(&id);
	return err;
}

void session_tell_again(struct attach *attach)
{
	struct ps_ev_process *then = &attach->launched_as;
	uint32_t *const texts[] = { &then->comm, &then->cmdline, &then->exe, &then->runtime, &then->version, &then->build_id };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		*texts[i] = stream_again(attach->stream, *texts[i]);
}

static void open_one(struct attach *attach, pid_t pid, size_t loops)
{
	char message[256];
	size_t count = attach->process_count;

	session_open_process(attach, pid, message, sizeof(message));
	if (attach->process_count == count)
		attach->loop_count = loops;
}

static void open_ended(struct attach *attach)
{
	struct ps_ev_process then = attach->launched_as, now;

	open_one(attach, attach->roots[0], attach->loop_count);
	/* unless it became another program since */
	if (!then.h.size || note_launched(attach, &now) || now.comm != then.comm)
		return;
	then.h.ts = stream_now();
	stream_put(attach->stream, &then.h);
}

/* Its process and loops join the lists, when it runs any. */
static void take_in(struct attach *attach, pid_t pid)
{
	size_t loops = attach->loop_count;

	if (attach->process_count < attach->process_room && !is_watched(attach, pid) && !is_young(pid) &&
	    session_add_loops(attach, pid) > 0)
		open_one(attach, pid, loops);
}

/* Looks at the families; each look costs, so not too often. */
static void look(struct attach *attach)
{
	uint64_t start = stream_now(), used = cpu_ns();
	pid_t *family = NULL;

	if ((!attach->options.follow && !(attach->options.expect && !attach->process_count)) || start < attach->next_follow_ns)
		return;
	int count = attach->options.follow ? family_find(&family, attach->roots, attach->root_count) : (int)attach->root_count;
	for (int i = 0; i < count; i++)
		take_in(attach, family ? family[i] : attach->roots[i]);
	free(family);
	/* not the time that passed: on a machine that is short of CPU the next child would be met when it has gone */
	uint64_t took = cpu_ns() - used;
	attach->next_follow_ns = start + (took * FOLLOW_FACTOR > FOLLOW_NS ? took * FOLLOW_FACTOR : FOLLOW_NS);
}

/* Without probes nobody else has told that the loops of the old program are gone. */
static void end_loops(struct attach *attach, pid_t pid, size_t count)
{
	for (size_t i = 0; i < count && !attach->states[0]; i++) {
		const struct loop_found *found = &attach->loops[i];
		const struct ps_ev_loop loop = {
			.h = { stream_now(), (uint32_t)found->tid, PS_EV_LOOP, sizeof(loop) },
			.pid = (uint32_t)pid,
			.poller_fd = found->poller_fd,
			.backend = found->backend,
			.flags = PS_LOOP_GONE,
		};

		if (found->pid == pid)
			stream_put(attach->stream, &loop.h);
	}
}

/* The new program is a process of its own in the lists: what was read of the old one does not hold for it. */
static void take_anew(struct attach *attach, size_t at)
{
	size_t loops = attach->loop_count, processes = attach->process_count;
	pid_t pid = attach->processes[at].pid;

	if (processes == attach->process_room || session_add_loops(attach, pid) <= 0)
		return;
	end_loops(attach, pid, loops);
	open_one(attach, pid, loops);
	attach->processes[at].is_replaced = attach->process_count > processes;
}

static void renew(struct attach *attach)
{
	uint64_t start = stream_now(), used = cpu_ns();
	size_t count = attach->process_count;

	if (start < attach->next_renew_ns)
		return;
	for (size_t i = 0; i < count; i++)
		if (!attach->processes[i].is_replaced && !proc_same_program(&attach->processes[i]))
			take_anew(attach, i);
	uint64_t took = cpu_ns() - used;
	attach->next_renew_ns = start + (took * RENEW_FACTOR > RENEW_NS ? took * RENEW_FACTOR : RENEW_NS);
}

void session_follow(struct attach *attach)
{
	size_t processes = attach->process_count, loops = attach->loop_count;

	if (attach->options.expect && !attach->launched_as.h.size)
		note_launched(attach, &attach->launched_as);
	if (ended_early(attach))
		open_ended(attach);
	else
		look(attach);
	renew(attach);
	if (attach->process_count == processes)
		return;
	session_tell(attach, loops);
	attach->next_follow_ns = stream_now() + FOLLOW_NS; /* families grow in spurts */
}
