/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What watching costs a saturated server, on a machine that changes its speed from one second to the next: within one
 * watch the probes are taken out and put back every WINDOW_NS, and each window with them is held against the two
 * without around it. `attach_cost.sh` compares whole watches, seconds apart: that wants a steadier machine.
 *
 * A node hello server has the first CPU for itself; wrk and the tool share the others. The server counts its requests
 * in a file. Without probes the tool sleeps too: what it reads and draws counts as cost. What may stay attached is never
 * met by this server (jobs of its pool; forks, exits and execs), and is told. A window with probes counts if `ready` and
 * the poll group rest at its end: of their moments, 50 to 100 ms in four seconds or more, few are in one that counts.
 *   build/tests/bench/watch_cost [TIMES]    as root; prints JSON: ratios with/without (1 = free)
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf_source.h"
#include "command.h"
#include "session.h"
#include "tape.h"
#include "tracefs.h"
#include "watch.h"

#define MS 1000000ull
#define WINDOW_NS (400 * MS)
#define SETTLE_NS (100 * MS)
#define BEGIN_NS (3000 * MS)
#define TIMES_MOST 1000
#define REST_WAIT_NS (60000 * MS)

/* of the server: requests are counted in the file that descriptor 3 is */
static const char script[] =
	"const fs = require('fs'), count = Buffer.alloc(8); let n = 0n;"
	"require('http').createServer((q, s) => {"
	" if (!(++n & 63n)) { count.writeBigUInt64LE(n); fs.writeSync(3, count, 0, 8, 0); }"
	" s.end('hello') }).listen(0, '127.0.0.1', function () { console.log(this.address().port) })";

struct reading { uint64_t ns, requests, cpu_ns; };
struct window { double rate, cpu; }; /* requests per ns, CPU time per request */

struct taken { const char *name; struct bpf_program *program; int group; };

struct bench {
	pid_t server;
	int count_fd, times, count;
	struct reading begun;           /* of the window with the probes that is under way; ns 0 = none */
	uint64_t settle_ns, waits_ns;   /* it begins then; since when a rest is waited for */
	struct window with[TIMES_MOST + 1], without[TIMES_MOST + 1];
	struct taken taken[64];
	int taken_count, phases_taken;
	char stay[16][BPF_OBJ_NAME_LEN];
	int stay_count;
};

/* what main.c has: only this one is run */
const struct command *const commands[] = { &cmd_record, NULL };
const struct command *command_find(const char *name)
{
	return strcmp(name, cmd_record.name) ? NULL : &cmd_record;
}

static void fail(const char *what)
{
	fprintf(stderr, "watch_cost: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec time = { (time_t)(ns / (1000 * MS)), (long)(ns % (1000 * MS)) };
	nanosleep(&time, NULL);
}

/* ---- the server and its load ---- */

static void pin(int first, int last)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (int cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run(char *const *command, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, 1);
	execvp(*command, command);
	fail(*command);
}

static int start_server(struct bench *bench)
{
	char *command[] = { "node", "-e", (char *)script, NULL };
	char port[16] = "";
	int out[2];
	FILE *file = tmpfile();
	if (!file || pipe(out))
		fail("cannot start");
	bench->count_fd = fileno(file);
	bench->server = fork();
	if (!bench->server) {
		pin(0, 0);
		dup2(bench->count_fd, 3);
		run(command, out[1]);
	}
	close(out[1]);
	if (read(out[0], port, sizeof(port) - 1) <= 0)
		fail("node does not serve");
	return atoi(port);
}

static void start_load(int port)
{
	char url[64], *command[] = { "wrk", "-t1", "-c64", "-d36000s", url, NULL };
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	if (!fork())
		run(command, open("/dev/null", O_WRONLY));
}

/* on a CPU, of all its threads */
static uint64_t cpu_ns(pid_t pid)
{
	char path[320];
	unsigned long long sum = 0, ns;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	for (struct dirent *task; tasks && (task = readdir(tasks));) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
		FILE *file = *task->d_name == '.' ? NULL : fopen(path, "r");
		if (file && fscanf(file, "%llu", &ns) == 1)
			sum += ns;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

static struct reading read_now(const struct bench *bench)
{
	struct reading now = { 0 };
	if (pread(bench->count_fd, &now.requests, sizeof(now.requests), 0) != sizeof(now.requests))
		fail("the server counts nothing");
	now.cpu_ns = cpu_ns(bench->server);
	now.ns = now_ns();
	return now;
}

static struct window between(struct reading a, struct reading b)
{
	if (b.requests <= a.requests)
		fail("no requests");
	double requests = (double)(b.requests - a.requests);
	return (struct window){ requests / (double)(b.ns - a.ns), (double)(b.cpu_ns - a.cpu_ns) / requests };
}

/* ---- taking the probes out, and back ---- */

static struct bpf_program *program_of(struct bpf_object *object, uint32_t id)
{
	struct bpf_program *program;
	bpf_object__for_each_program(program, object) {
		struct bpf_prog_info info = { 0 };
		uint32_t bytes = sizeof(info);
		if (bpf_program__fd(program) >= 0 && !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) &&
		    info.id == id)
			return program;
	}
	return NULL;
}

static int starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Forks, exits and execs. */
static int is_seldom(const struct bpf_program *program)
{
	return starts(bpf_program__section_name(program), "raw_tp/sched_process_");
}

static void take_group(struct bench *bench, struct bpf_source *source, int which)
{
	struct bpf_group *group = &source->groups[which];
	int kept = 0;
	for (int i = 0; i < group->link_count; i++) {
		struct bpf_link_info info = { 0 };
		uint32_t bytes = sizeof(info);
		if (bpf_obj_get_info_by_fd(bpf_link__fd(group->links[i]), &info, &bytes))
			fail("a link tells nothing");
		struct bpf_program *program = program_of(group->object, info.prog_id);
		if (!program || bench->taken_count == sizeof(bench->taken) / sizeof(*bench->taken))
			fail("a link is of no program");
		if (is_seldom(program)) {
			group->links[kept++] = group->links[i];
			continue;
		}
		bpf_link__destroy(group->links[i]);
		bench->taken[bench->taken_count++] = (struct taken){ bpf_program__name(program), program, which };
	}
	group->link_count = kept;
}

static void take_out(struct bench *bench, struct bpf_source *source)
{
	bench->taken_count = 0;
	for (int i = 0; i < BPF_GROUPS; i++)
		take_group(bench, source, i);
	bench->phases_taken = bpf_phases_tell(source);
	if (bench->phases_taken)
		bpf_phases_close(source);
}

/* Programs named on_WAIT_enter and on_WAIT_exit are at classic tracepoints, which libbpf does not find without tracefs. */
static struct bpf_link *attach_again(const struct taken *taken)
{
	char name[64];
	const char *side = strrchr(taken->name, '_');
	int tracefs = -1;
	if (!starts(bpf_program__section_name(taken->program), "tp/syscalls"))
		return bpf_program__attach(taken->program);
	tracefs = tracefs_open();
	snprintf(name, sizeof(name), "sys%s_%.*s", side, (int)(side - taken->name - 3), taken->name + 3);
	struct bpf_link *link = tracefs_attach(tracefs, "syscalls", name, taken->program);
	close(tracefs);
	return link;
}

/* Slices and waits begin now: the time without probes is none of theirs. */
static void begin_anew(const struct bpf_source *source)
{
	uint64_t now = now_ns();
	for (size_t i = 0; i < BPF_THREADS; i++) {
		struct ps_watch watch;
		uint32_t tid = source->threads[i].tid;
		if (!tid || bpf_map_lookup_elem(source->maps.threads, &tid, &watch))
			continue;
		watch.busy_since_ns = watch.busy_since_ns ? now : 0;
		watch.entered_ns = watch.entered_ns ? now : 0;
		watch.mark_ns = watch.ran_ns = now;
		bpf_map_update_elem(source->maps.threads, &tid, &watch, BPF_EXIST);
	}
}

static void put_back(const struct bench *bench, struct bpf_source *source)
{
	begin_anew(source);
	for (int i = 0; i < bench->taken_count; i++)
		if (bpf_group_keep(&source->groups[bench->taken[i].group], attach_again(&bench->taken[i])))
			fail(bench->taken[i].name);
	if (bench->phases_taken)
		bpf_phases_open(source, 0);
}

static int is_idle(const char *name)
{
	static const char *const idle[] = {
		"on_work_submit", "on_queue_work", "on_start", "on_async_send", "on_done", "on_fork", "on_exec", "on_exit",
	};
	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		if (!strcmp(name, idle[i]))
			return 1;
	return 0;
}

static void tell_stay(struct bench *bench, const char *name)
{
	for (int i = 0; i < bench->stay_count; i++)
		if (!strcmp(bench->stay[i], name))
			return;
	if (bench->stay_count < 16)
		snprintf(bench->stay[bench->stay_count++], BPF_OBJ_NAME_LEN, "%s", name);
}

/* 1: a program is attached, anywhere on the machine, that the server or its load may meet. */
static int look_at_links(struct bench *bench)
{
	int met = 0;
	for (uint32_t id = 0; !bpf_link_get_next_id(id, &id);) {
		struct bpf_link_info link = { 0 };
		struct bpf_prog_info program = { 0 };
		uint32_t bytes = sizeof(link), program_bytes = sizeof(program);
		int fd = bpf_link_get_fd_by_id(id), program_fd = -1;
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &link, &bytes))
			program_fd = bpf_prog_get_fd_by_id(link.prog_id);
		if (program_fd >= 0 && !bpf_obj_get_info_by_fd(program_fd, &program, &program_bytes)) {
			/* an `on_exit` of all system calls is one of `ready` */
			met |= !is_idle(program.name) || program.type == BPF_PROG_TYPE_TRACING;
			tell_stay(bench, program.name);
		}
		if (fd >= 0)
			close(fd);
		if (program_fd >= 0)
			close(program_fd);
	}
	return met;
}

/* ---- windows ---- */

/* 0: something that cannot be taken out is attached now. */
static int window_without(struct bench *bench, struct bpf_source *source)
{
	take_out(bench, source);
	bench->stay_count = 0;
	int met = look_at_links(bench);
	if (!met) {
		sleep_ns(SETTLE_NS / 2);
		struct reading begun = read_now(bench);
		sleep_ns(WINDOW_NS);
		bench->without[bench->count] = between(begun, read_now(bench));
	}
	put_back(bench, source);
	return !met;
}

static void after_drain(struct watch *watch, void *arg)
{
	struct bench *bench = arg;
	struct bpf_source *source = watch->attach->states[0];
	uint64_t now = now_ns();
	if (!source)
		fail("BPF does not work here");
	if (now < bench->settle_ns || now - watch->begin_ns < BEGIN_NS)
		return;
	if (!bench->begun.ns && bench->count) {
		bench->begun = read_now(bench);
		return;
	}
	if (bench->begun.ns && now - bench->begun.ns < WINDOW_NS)
		return;
	if (bench->begun.ns)
		bench->with[bench->count] = between(bench->begun, read_now(bench));
	bench->begun.ns = 0;
	bench->waits_ns = bench->waits_ns ? bench->waits_ns : now;
	if (now - bench->waits_ns > REST_WAIT_NS)
		fail("the probes never rest");
	/* while it does not rest typed tracepoints of all calls are on: the window with probes before it is taken again */
	if (source->rest.typed[0] || !window_without(bench, source))
		return;
	bench->waits_ns = 0;
	bench->settle_ns = now_ns() + SETTLE_NS;
	if (bench->count++ == bench->times)
		watch_stop(watch, WATCH_COUNT_REACHED);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The error is of the median, by the spread of the middle half. */
static void tell(const char *what, double *ratios, int count)
{
	qsort(ratios, (size_t)count, sizeof(*ratios), compare);
	double low = ratios[count / 4], high = ratios[count * 3 / 4], root = 1;
	for (int i = 0; i < 40; i++)
		root = (root + count / root) / 2;
	printf("  \"%s\": { \"median\": %.4f, \"error\": %.4f, \"quarters\": [%.3f, %.3f] },\n", what, ratios[count / 2],
	       (high - low) / 1.349 * 1.253 / root, low, high);
}

/* The window with probes of a number lies between the ones without of the number before, and of its own. */
static void tell_all(const struct bench *bench, const char *name)
{
	static double requests[TIMES_MOST], cpu[TIMES_MOST];
	for (int i = 0; i < bench->times; i++) {
		const struct window *a = &bench->without[i], *b = &bench->with[i + 1], *c = &bench->without[i + 1];
		requests[i] = 2 * b->rate / (a->rate + c->rate);
		cpu[i] = (a->cpu + c->cpu) / 2 / b->cpu;
	}
	printf(" \"%s\": {\n", name);
	tell("requests", requests, bench->times);
	tell("cpu_per_request", cpu, bench->times);
	printf("  \"times\": %d, \"stayed_attached\": [", bench->times);
	for (int i = 0; i < bench->stay_count; i++)
		printf("%s\"%s\"", i ? ", " : "", bench->stay[i]);
	printf("]\n }");
}

static int measure(struct bench *bench, const char *name, const char *option)
{
	char pid[16], *argv[] = { "record", "--force", "-o", "/dev/null", pid, (char *)option, NULL };
	struct options options = { 0 };
	struct tape tape;
	struct watch watch = { .from_now = 1, .only_records = 1 };
	snprintf(pid, sizeof(pid), "%d", (int)bench->server);
	int code = options_read(&options, cmd_record.options, "record", option ? 6 : 5, argv);
	if (!code)
		code = tape_open(&tape, &options);
	if (code)
		return code;
	code = watch_open(&watch, &options, &tape);
	watch.after_drain = after_drain;
	watch.arg = bench;
	if (!code)
		code = watch_run(&watch);
	if (!code && bench->count > bench->times)
		tell_all(bench, name);
	else
		fprintf(stderr, "watch_cost: %s: ended early\n", name);
	watch_finish(&watch);
	watch_close(&watch);
	tape_close(&tape);
	return code || bench->count <= bench->times;
}

int main(int argc, char **argv)
{
	static const struct { const char *name, *option; } sets[] = { { "default", NULL }, { "everything", "--exact-phases" } };
	static struct bench bench;
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN), failed = 0;
	bench.times = argc > 1 ? atoi(argv[1]) : 200;
	if (geteuid() || cpus < 2 || bench.times < 4 || bench.times > TIMES_MOST) {
		printf("{ \"skipped\": \"wants root, two CPUs and 4 to %d times\" }\n", TIMES_MOST);
		return 0;
	}
	pin(1, cpus - 1);
	start_load(start_server(&bench));
	printf("{\n");
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets) && !failed; i++) {
		bench.count = 0;
		bench.begun.ns = bench.settle_ns = bench.waits_ns = 0;
		failed = measure(&bench, sets[i].name, sets[i].option);
		printf("%s\n", i ? "" : ",");
	}
	printf("}\n");
	return failed;
}
