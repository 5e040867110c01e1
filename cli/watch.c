/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live watch. Our loop drives it: a timer drains the session every 50 ms
 * into the model (and the recording), another ticks once a second, signals end
 * it with the data kept. A launched target is held until the probes are
 * ready, and what it runs is watched from its first loop on.
 *
 * Owns everything in struct watch but `tape` and `options`.
 */
#include "watch.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

#define DRAIN_NS (50 * 1000 * 1000ull)
#define OWN_RING_SLOTS 4096u /* 256 KiB: seconds of what this loop does */
#define RECORD_RING_BYTES (32u << 20) /* more than two seconds of 200,000 events a second */
#define NAMES_SPARE (512u << 10) /* bytes of names that may be kept without use */
#define SECOND_NS 1000000000ull

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

void watch_stop(struct watch *watch, enum watch_end end)
{
	if (watch->end == WATCH_GOES_ON)
		watch->end = end;
	ps_loop_stop(watch->loop);
}

static void watch_fail(struct watch *watch, int code)
{
	watch->code = code;
	watch_stop(watch, WATCH_FAILED);
}

/*
 * Giving the probes back takes a while, and they go on telling while nobody listens. What happened then is left out,
 * and so is what was lost then; what is told about the observation itself (probes, cost, names) is as of the end.
 */
static const struct ps_record *cut_late(const struct watch *watch, const struct ps_record *record)
{
	static uint64_t room[UINT16_MAX / 8 + 1];
	if (!watch->cut_ns || record->ts <= watch->cut_ns)
		return record;
	if (record->event >= PS_EV_PROCESS || record->event == PS_EV_CLOCK || record->event == PS_EV_LOST)
		return NULL;
	memcpy(room, record, record->size);
	((struct ps_record *)room)->ts = watch->cut_ns;
	return (struct ps_record *)room;
}

static int take_record(const struct ps_record *record, void *arg)
{
	struct watch *watch = arg;
	record = cut_late(watch, record);
	if (!record)
		return 0;
	if (watch->most_events && watch->events >= watch->most_events)
		return 0; /* -n is exact: what else this drain brings is not taken */
	watch->events++;
	if (watch->tape)
		tape_add(watch->tape, record);
	return model_apply(watch->model, record, record->size);
}

static void tell_ready(struct watch *watch)
{
	if (watch->options->ready_fd < 0)
		return;
	if (write(watch->options->ready_fd, "\n", 1) != 1)
		say("nobody listens on --ready-fd %d", watch->options->ready_fd);
}

/* The first loop is there: from now on there is something to record. */
static int begin(struct watch *watch)
{
	watch->has_begun = 1;
	watch->begin_ns = now_ns();
	int code = watch->tape ? tape_start(watch->tape, watch->model->config.stall_ns) : 0;
	if (!code)
		tell_ready(watch);
	return code;
}

/* A launched target is attached before it has a loop, and begins when it has one. 0 or a positive exit code after a sentence. */
static int try_attach(struct watch *watch)
{
	const struct options *options = watch->options;
	const struct attach_options wanted = {
		.pids = watch->target.pids,
		.pid_count = watch->target.count,
		.stall_ns = options->stall_ns,
		.no_bpf = options->no_bpf,
		.exact_phases = options->exact_phases,
		.without = options->without,
		.follow = options->follow || options->launch,
		.no_history = watch->from_now && watch->launch.pid <= 0,
		.expect = options->launch != NULL,
		.ring_bytes = watch->tape ? RECORD_RING_BYTES : 0,
	};
	watch->attach_ns = now_ns();
	int err = attach_open(&watch->attach, &wanted, watch->lost_target, sizeof(watch->lost_target));
	if (err)
		return fault(fault_code(SIDE_TARGET, err), "%s",
			     *watch->lost_target ? watch->lost_target : strerror(-err));
	return options->launch ? 0 : begin(watch);
}

/* The recording cannot go on. A launched command, a summary or a time that was set still can. */
static int recording_over(const struct watch *watch)
{
	const struct tape *tape = watch->tape;
	int waited_for = watch->launch.pid > 0 || watch->options->duration_ns || !watch->only_records;
	return tape && !watch->stay && (tape_unread(tape) || (tape->over && !waited_for));
}

/* -d counts from the first data, which comes while the attach goes on: loading probes and symbols takes a while. */
static uint64_t since_ns(const struct watch *watch)
{
	uint64_t first = watch->model->start_ns;
	return first >= watch->attach_ns && first < watch->begin_ns ? first : watch->begin_ns;
}

/* Asked before what has come is taken: what the command did until then is seen, however short it lived. */
static int launch_ended(struct watch *watch)
{
	return watch->options->launch && !launch_alive(&watch->launch);
}

static void check_ends(struct watch *watch, int launch_has_ended)
{
	const struct options *options = watch->options;
	if (watch->most_events && watch->events >= watch->most_events)
		watch_stop(watch, WATCH_COUNT_REACHED);
	else if (options->duration_ns && watch->has_begun && now_ns() - since_ns(watch) >= options->duration_ns)
		watch_stop(watch, WATCH_TIME_OVER);
	else if (!watch->stay && (options->launch ? launch_has_ended : !attach_alive(watch->attach)))
		watch_stop(watch, WATCH_TARGET_GONE);
	else if (recording_over(watch))
		watch_stop(watch, WATCH_FAILED);
}

/* 1 when there is something to drain; what comes before the first loop waits for it. */
static int has_begun(struct watch *watch, int launch_has_ended)
{
	if (watch->has_begun)
		return 1;
	if (!attach_look(watch->attach)) {
		check_ends(watch, launch_has_ended);
		return 0;
	}
	int code = begin(watch);
	if (code)
		watch_fail(watch, code);
	return !code;
}

/* What will not be named any more is let go of. A recording's own memory of names would only grow by telling them anew. */
static void forget(struct watch *watch)
{
	size_t bytes = model_name_bytes(watch->model);
	if (watch->tape || bytes < watch->names_kept + NAMES_SPARE || attach_forget(watch->attach))
		return;
	model_forget(watch->model);
	watch->names_kept = model_name_bytes(watch->model);
	malloc_trim(0);
}

static void drain(void *arg)
{
	struct watch *watch = arg;
	int ended = launch_ended(watch);
	if (!has_begun(watch, ended))
		return;
	int got = attach_drain(watch->attach, take_record, watch);
	if (got < 0) {
		watch_fail(watch, fault(CLI_NO_TARGET, "watching stopped: %s", strerror(-got)));
		return;
	}
	if (watch->tape)
		tape_look(watch->tape, watch->model);
	forget(watch);
	check_ends(watch, ended);
	if (watch->after_drain)
		watch->after_drain(watch, watch->arg);
}

static void each_second(void *arg)
{
	struct watch *watch = arg;
	if (watch->tape && watch->has_begun)
		tape_flush(watch->tape);
	if (watch->has_begun && watch->each_second)
		watch->each_second(watch, watch->arg);
}

static void on_signal(struct ps_signal *handle, int number, void *arg)
{
	struct watch *watch = arg;
	if (number != SIGINT) /* Ctrl-C reaches the launched command by itself */
		launch_signal(&watch->launch, number);
	watch_stop(watch, WATCH_SIGNALLED);
}

static void on_wanted(struct ps_signal *handle, int number, void *arg)
{
	struct watch *watch = arg;
	tape_wanted(watch->tape);
}

static int open_loop(struct watch *watch)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct ps_loop_options options = { .size = sizeof(options),
						 .name = "pollscope",
						 .ring_slots = OWN_RING_SLOTS };
	int err = ps_loop_open(&watch->loop, &options);
	if (!err)
		err = ps_timer_open(watch->loop, &watch->drain, drain, watch);
	if (!err)
		err = ps_timer_start(watch->drain, 0, DRAIN_NS);
	if (!err)
		err = ps_timer_open(watch->loop, &watch->second, each_second, watch);
	if (!err)
		err = ps_timer_start(watch->second, SECOND_NS, SECOND_NS);
	for (int i = 0; !err && i < 3; i++)
		err = ps_signal_open(watch->loop, &watch->signals[i], numbers[i], on_signal, watch);
	if (!err && watch->tape)
		err = ps_signal_open(watch->loop, &watch->signals[3], SIGUSR1, on_wanted, watch);
	return err ? fault(CLI_KERNEL, "cannot start: %s", strerror(-err)) : 0;
}

static int open_model(struct watch *watch)
{
	const struct model_config config = { .stall_ns = watch->options->stall_ns };
	int err = model_open(&watch->model, &config);
	return err ? fault(CLI_OUTPUT, "cannot start: %s", strerror(-err)) : 0;
}

static int tell_launch(const struct watch *watch, int err)
{
	return !err ? 0
		    : fault(err == -EACCES ? CLI_DENIED : CLI_NO_TARGET, "cannot start %s: %s",
			    watch->options->launch[0], strerror(-err));
}

/* The launched command's data must not mix with ours, nor draw on our screen. */
static int start_launch(struct watch *watch)
{
	int err = launch_start(&watch->launch, watch->options->launch, watch->drawing);
	watch->target.pids[0] = watch->launch.pid;
	watch->target.count = 1;
	return tell_launch(watch, err);
}

static int release_launch(struct watch *watch)
{
	return tell_launch(watch, launch_release(&watch->launch));
}

int watch_open(struct watch *watch, const struct options *options, struct tape *tape)
{
	watch->options = options;
	watch->tape = tape;
	int code = options->launch ? start_launch(watch) : target_find(&watch->target, options);
	if (!code)
		code = open_model(watch);
	if (!code)
		code = try_attach(watch);
	if (!code)
		code = open_loop(watch);
	if (!code && options->launch)
		code = release_launch(watch);
	return code;
}

int watch_open_pid(struct watch *watch, const struct options *options, struct tape *tape, pid_t pid)
{
	watch->options = options;
	watch->tape = tape;
	watch->target.pids[0] = pid;
	watch->target.count = 1;
	int code = open_model(watch);
	if (!code)
		code = try_attach(watch);
	if (!code)
		code = open_loop(watch);
	return code;
}

/*
 * Who wakes up twenty times a second and has little to do is let in at once, by a scheduler that is fair, in the place
 * of the program that is watched, when no CPU is free. A batch program waits for a gap instead, for some milliseconds
 * at most. What we launch, and our threads, are not to inherit it. A policy that somebody chose is left.
 */
static void give_way(void)
{
	const struct sched_param none = { 0 };
	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH | SCHED_RESET_ON_FORK, &none);
}

int watch_run(struct watch *watch)
{
	give_way();
	int err = ps_loop_run(watch->loop, PS_RUN_DEFAULT);
	if (err < 0)
		watch_fail(watch, fault(CLI_KERNEL, "cannot go on: %s", strerror(-err)));
	return watch->end == WATCH_FAILED ? watch->code : 0;
}

int watch_has_data(const struct watch *watch)
{
	for (size_t i = 0; watch->model && i < watch->model->loop_count; i++)
		if (watch->model->loops[i]->polls || watch->model->loops[i]->iterations ||
		    watch->model->loops[i]->stalls)
			return 1;
	return 0;
}

const char *watch_mode(const struct watch *watch)
{
	if (watch->attach && watch->has_begun && !attach_alive(watch->attach))
		return "EXITED";
	for (int group = 0; group < PS_PROBE_GROUP_COUNT; group++)
		if (watch->model->probes[group].state == PS_PROBE_STATE_DETACHED)
			return "DEGRADED";
	return watch->model->lost_total ? "DEGRADED" : "LIVE";
}

/* The end is now: what has come until here is taken, what comes while the probes are given back is not. */
static void cut(struct watch *watch)
{
	if (!watch->has_begun || !watch->attach || watch->end == WATCH_TARGET_GONE || watch->end == WATCH_FAILED)
		return;
	if (attach_drain(watch->attach, take_record, watch) >= 0)
		watch->cut_ns = now_ns();
}

int watch_finish(struct watch *watch)
{
	cut(watch);
	attach_close(watch->attach, take_record, watch);
	watch->attach = NULL;
	if (watch->tape)
		tape_finish(watch->tape);
	if (watch->tape && watch->tape->error)
		return fault_code(SIDE_OUTPUT, watch->tape->error);
	if (watch->end == WATCH_TARGET_GONE && !watch_has_data(watch))
		return fault(CLI_NO_TARGET, "the target went before there was any data");
	return watch->end == WATCH_FAILED ? watch->code : 0;
}

static void close_loop(struct watch *watch)
{
	if (!watch->loop)
		return;
	if (watch->drain)
		ps_timer_close(watch->drain);
	if (watch->second)
		ps_timer_close(watch->second);
	for (int i = 0; i < 4; i++)
		if (watch->signals[i])
			ps_signal_close(watch->signals[i]);
	ps_loop_run(watch->loop, PS_RUN_NOWAIT); /* the closing phase gives the handles back */
	ps_loop_close(watch->loop);
	watch->loop = NULL;
}

void watch_close(struct watch *watch)
{
	close_loop(watch);
	launch_stop(&watch->launch);
	attach_close(watch->attach, NULL, NULL);
	model_close(watch->model);
	watch->attach = NULL;
	watch->model = NULL;
}
