/* SPDX-License-Identifier: BSD-2-Clause */
/* Exports of one made-up recording: every format must parse, nest, and show the stall. */
#include "psr_make.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/resource.h>
#include <zlib.h>

#include "export.h"

#define MS 1000000ull

enum { PID = 100, TID = 100, WORKER = 101, OTHER = 102, POLLER = 13 };

static struct psr_writer *writer;
static uint64_t now_ns;
static int begins_within; /* a recording that begins within a phase: what is known of the busy slice begins later */

static void add(void *event, unsigned type, size_t size, uint32_t tid)
{
	struct ps_record *record = event;
	*record = (struct ps_record){ now_ns, tid, (uint16_t)type, (uint16_t)size };
	assert_int_equal(psr_writer_add(writer, record), 0);
}
#define ADD(tid, NAME, type, ...) add(&(struct type){ __VA_ARGS__ }, PS_EV_##NAME, sizeof(struct type), tid)

static void add_string(uint32_t id, const char *text)
{
	struct {
		struct ps_ev_string head;
		char text[64];
	} string = { .head = { .id = id, .len = (uint32_t)strlen(text) } };
	strcpy(string.text, text);
	add(&string, PS_EV_STRING, sizeof(struct ps_ev_string) + (strlen(text) + 7) / 8 * 8, 0);
}

/* One round of an instrumented loop: a wait of 5 ms, a callback of `busy_ms`, a timer. */
static void add_round(uint32_t tid, int fd, uint64_t busy_ms, uint64_t *entered)
{
	now_ns += 5 * MS;
	ADD(tid, POLL_RETURN, ps_ev_poll_return, .poller_fd = fd, .ready = 1, .entered_ns = *entered,
	    .backend = PS_BACKEND_EPOLL);
	uint64_t returned = now_ns;
	ADD(tid, CALLBACK_BEGIN, ps_ev_callback_begin, .fn = 0x5000, .handle = 4, .fd = 20, .kind = PS_KIND_TCP);
	now_ns += busy_ms * MS;
	ADD(tid, CALLBACK_END, ps_ev_callback_end, .handle = 4);
	ADD(tid, PHASE, ps_ev_phase, .phase = PS_PHASE_TIMERS);
	ADD(tid, CALLBACK_BEGIN, ps_ev_callback_begin, .handle = 3, .fd = -1, .kind = PS_KIND_TIMER);
	now_ns += MS;
	ADD(tid, CALLBACK_END, ps_ev_callback_end, .handle = 3);
	if (busy_ms >= 100) {
		uint64_t end_ns = now_ns;
		now_ns -= busy_ms / 2 * MS; /* from the kernel's ring, a little late */
		ADD(tid, SAMPLE, ps_ev_sample, .period_ns = 10 * MS, .syscall = -1, .stack = 1, .kind = PS_SAMPLE_CPU);
		ADD(tid, OFFCPU, ps_ev_offcpu, .off_ns = now_ns - 20 * MS, .syscall = 74, .state = PS_OFF_SLEEPING);
		now_ns = end_ns;
	}
	ADD(tid, PHASE, ps_ev_phase, .phase = PS_PHASE_POLL);
	ADD(tid, POLL_ENTER, ps_ev_poll_enter, .poller_fd = fd, .backend = PS_BACKEND_EPOLL, .timeout_ns = -1,
	    .busy_since_ns = returned, .on_cpu_ns = PS_UNKNOWN, .runnable_ns = PS_UNKNOWN, .blocked_ns = PS_UNKNOWN);
	*entered = now_ns;
}

static void add_target(void)
{
	add_string(1, "node");
	add_string(2, "node \"server\".js \\ \x1b[31m");
	add_string(3, "hashPw");
	add_string(4, "auth.js");
	ADD(0, PROCESS, ps_ev_process, .pid = PID, .comm = 1, .cmdline = 2, .runtime = 1);
	ADD(TID, THREAD, ps_ev_thread, .pid = PID, .name = 1, .role = PS_ROLE_LOOP);
	ADD(WORKER, THREAD, ps_ev_thread, .pid = PID, .name = 1, .role = PS_ROLE_WORKER);
	ADD(OTHER, THREAD, ps_ev_thread, .pid = PID, .name = 1, .role = PS_ROLE_LOOP);
	ADD(TID, LOOP, ps_ev_loop, .pid = PID, .poller_fd = POLLER, .backend = PS_BACKEND_EPOLL,
	    .flags = PS_LOOP_PHASES | PS_LOOP_CALLBACKS);
	ADD(OTHER, LOOP, ps_ev_loop, .pid = PID, .poller_fd = 17, .backend = PS_BACKEND_EPOLL);
	ADD(0, FRAME, ps_ev_frame, .id = 1, .name = 3, .file = 4, .line = 41, .kind = PS_FRAME_JS);
	ADD(0, SYMBOL, ps_ev_symbol, .pid = PID, .frame = 1, .address = 0x5000);
	struct {
		struct ps_ev_stack head;
		uint32_t frames[2];
	} stack = { .head = { .id = 1, .count = 1 }, .frames = { 1 } };
	add(&stack, PS_EV_STACK, sizeof(stack), 0);
}

static void add_work(void)
{
	uint64_t submitted = now_ns;
	ADD(TID, WORK_SUBMITTED, ps_ev_work, .work = 9, .pid = PID, .kind = PS_WORK_FS);
	ADD(TID, POOL_GAUGES, ps_ev_pool_gauges, .oldest_ns = submitted, .pid = PID, .threads = 4, .queued = 1);
	now_ns += MS;
	ADD(WORKER, WORK_STARTED, ps_ev_work, .work = 9, .since_ns = submitted, .pid = PID, .kind = PS_WORK_FS);
	submitted = now_ns;
	now_ns += 3 * MS;
	ADD(WORKER, WORK_FINISHED, ps_ev_work, .work = 9, .since_ns = submitted, .pid = PID, .kind = PS_WORK_FS);
	ADD(TID, LOOP_GAUGES, ps_ev_loop_gauges, .next_due_ns = PS_UNKNOWN, .timers = 7, .handles = 9);
}

/* Ten rounds on two loops, the fifth of the first stalls for 200 ms; ends busy, with an open slice. */
static struct psr_reader *a_recording(unsigned rounds)
{
	struct psr_info info = make_info;
	uint64_t entered = 0, other = 0;
	int fd = memfd_create("psr", MFD_CLOEXEC);
	now_ns = info.monotonic_ns = 1000 * MS;
	info.boottime_ns = 1500 * MS;
	info.realtime_ns = 1700000000000 * MS;
	assert_int_equal(psr_writer_open(&writer, fd, &info), 0);
	add_target();
	if (begins_within) {
		ADD(TID, PHASE, ps_ev_phase, .phase = PS_PHASE_TIMERS);
		now_ns += 2 * MS;
		ADD(TID, PHASE, ps_ev_phase, .phase = PS_PHASE_POLL);
		now_ns += MS;
		ADD(TID, POLL_ENTER, ps_ev_poll_enter, .poller_fd = POLLER, .backend = PS_BACKEND_EPOLL, .timeout_ns = -1,
		    .busy_since_ns = now_ns - 2 * MS, .on_cpu_ns = PS_UNKNOWN, .runnable_ns = PS_UNKNOWN,
		    .blocked_ns = PS_UNKNOWN);
		entered = now_ns;
	}
	for (unsigned i = 0; i < rounds; i++) {
		add_round(TID, POLLER, i % 10 == 4 ? 200 : 2, &entered);
		add_round(OTHER, 17, 1, &other);
		add_work();
		ADD(TID, GC, ps_ev_gc, .since_ns = now_ns - MS, .kind = 2);
		ADD(0, CLOCK, ps_ev_clock, .realtime_ns = info.realtime_ns + now_ns, .boottime_ns = now_ns + 500 * MS);
	}
	ADD(TID, POLL_RETURN, ps_ev_poll_return, .poller_fd = POLLER, .ready = 1, .entered_ns = entered,
	    .backend = PS_BACKEND_EPOLL);
	now_ns += MS;
	ADD(0, LOST, ps_ev_lost, .count = 12, .source = PS_LOST_RING);
	assert_int_equal(psr_writer_close(writer), 0);
	struct psr_reader *reader;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(psr_reader_open(&reader, fd), 0);
	return reader;
}

static char *export_as(const char *format, unsigned rounds, size_t *size)
{
	char *text = NULL;
	const struct exporter *exporter = exporter_find(format);
	assert_non_null(exporter);
	struct psr_reader *reader = a_recording(rounds);
	FILE *out = open_memstream(&text, size);
	assert_int_equal(export_recording(exporter, reader, out), 0);
	fclose(out);
	psr_reader_close(reader);
	return text;
}

/* Runs any exporter; the text of one that makes a folder is its metadata. To be freed. */
static char *run_any(const struct exporter *exporter, struct psr_reader *reader, size_t *size)
{
	char *text = NULL;
	if (!exporter->is_folder) {
		FILE *out = open_memstream(&text, size);
		assert_int_equal(export_recording(exporter, reader, out), 0);
		fclose(out);
		return text;
	}
	char path[] = "/tmp/export-XXXXXX";
	assert_non_null(mkdtemp(path));
	int folder = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(export_into(exporter, reader, folder), 0);
	int fd = openat(folder, "metadata", O_RDONLY);
	assert_true(fd >= 0);
	struct file file = make_slurp(fd);
	close(fd);
	unlinkat(folder, "metadata", 0);
	unlinkat(folder, "events", 0);
	close(folder);
	assert_int_equal(rmdir(path), 0); /* nothing else is in it */
	*size = file.size;
	return (char *)file.bytes;
}

/* ---- chrome ---- */

struct span {
	double from, to;
	json_int_t pid, tid;
};

static int by_place(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to > y->to ? -1 : x->to < y->to;
}

static void assert_nested(struct span *spans, size_t count)
{
	double ends[32];
	size_t depth = 0;
	qsort(spans, count, sizeof(*spans), by_place);
	for (size_t i = 0; i < count; i++) {
		if (i && (spans[i].pid != spans[i - 1].pid || spans[i].tid != spans[i - 1].tid))
			depth = 0;
		while (depth && ends[depth - 1] <= spans[i].from)
			depth--;
		assert_true(!depth || spans[i].to <= ends[depth - 1]);
		assert_true(depth < 32);
		ends[depth++] = spans[i].to;
	}
}

TEST(chrome_json_parses_nests_and_names_the_stall)
{
	size_t size, index, stalls = 0, count = 0;
	char *text = export_as("chrome", 10, &size);
	json_error_t error;
	json_t *document = json_loadb(text, size, 0, &error), *event;
	if (!document)
		fail_msg("line %d: %s", error.line, error.text);
	assert_string_equal(json_string_value(json_object_get(document, "displayTimeUnit")), "ns");
	json_t *events = json_object_get(document, "traceEvents");
	struct span *spans = calloc(json_array_size(events), sizeof(*spans));
	const char *last = NULL;
	json_array_foreach(events, index, event)
	{
		const char *phase = json_string_value(json_object_get(event, "ph"));
		last = json_string_value(json_object_get(event, "name"));
		assert_non_null(last);
		assert_true(json_is_integer(json_object_get(event, "pid")) &&
			    json_is_integer(json_object_get(event, "tid")));
		if (strcmp(phase, "X"))
			continue;
		double from = json_number_value(json_object_get(event, "ts")),
		       ns = json_number_value(json_object_get(event, "dur"));
		assert_true(ns >= 0);
		spans[count++] = (struct span){ from, from + ns, json_integer_value(json_object_get(event, "pid")),
						json_integer_value(json_object_get(event, "tid")) };
		json_t *notes = json_object_get(event, "args");
		if (notes && json_object_get(notes, "cause")) {
			assert_non_null(strstr(last, "hashPw"));
			assert_true(ns >= 200000 && ns <= 201000);
			assert_int_equal(json_integer_value(json_object_get(event, "tid")), TID);
			stalls++;
		}
	}
	assert_int_equal(stalls, 1);
	assert_true(count > 60);
	assert_string_equal(last, "recording end, 12 lost");
	assert_nested(spans, count);
	free(spans);
	json_decref(document);
	free(text);
}

TEST(chrome_slices_nest_where_the_recording_begins_within_a_phase)
{
	size_t size, index, count = 0;
	begins_within = 1;
	char *text = export_as("chrome", 1, &size);
	begins_within = 0;
	json_t *document = json_loadb(text, size, 0, NULL), *event;
	json_t *events = json_object_get(document, "traceEvents");
	struct span *spans = calloc(json_array_size(events), sizeof(*spans));
	json_array_foreach(events, index, event)
	{
		double from = json_number_value(json_object_get(event, "ts"));
		if (!strcmp(json_string_value(json_object_get(event, "ph")), "X"))
			spans[count++] = (struct span){ from, from + json_number_value(json_object_get(event, "dur")),
							json_integer_value(json_object_get(event, "pid")),
							json_integer_value(json_object_get(event, "tid")) };
	}
	assert_true(count > 5);
	assert_nested(spans, count);
	free(spans);
	json_decref(document);
	free(text);
}

/* ---- perfetto ---- */

/* A reader of the format's frame: packets, and in them the few fields that are checked. */
struct item {
	unsigned number;
	uint64_t value;
	const unsigned char *bytes;
};

static uint64_t get(const unsigned char **at)
{
	uint64_t value = 0;
	for (unsigned shift = 0;; shift += 7) {
		value |= (uint64_t)(**at & 0x7F) << shift;
		if (!(*(*at)++ & 0x80))
			return value;
	}
}

static int next_field(const unsigned char **at, const unsigned char *end, struct item *field)
{
	if (*at >= end)
		return 0;
	uint64_t tag = get(at);
	field->number = (unsigned)(tag >> 3);
	field->bytes = NULL;
	field->value = get(at);
	if ((tag & 7) == 2) {
		field->bytes = *at;
		*at += field->value;
	}
	assert_true((tag & 7) == 0 || (tag & 7) == 2);
	assert_true(*at <= end);
	return 1;
}

struct event {
	uint64_t ts, track, type, iid;
	size_t order;
};

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	return x->ts != y->ts ? (x->ts < y->ts ? -1 : 1) : x->order < y->order ? -1 : 1;
}

/* All track events; checks that a name is told before it is used. */
static size_t read_events(const unsigned char *bytes, size_t size, struct event *events)
{
	const unsigned char *at = bytes, *end = bytes + size;
	struct item packet, field, inner;
	uint64_t newest_iid = 0;
	size_t count = 0;
	while (next_field(&at, end, &packet)) {
		const unsigned char *in = packet.bytes, *packet_end = in + packet.value;
		struct event event = { .order = count };
		int is_event = 0, cleared = 0;
		assert_int_equal(packet.number, 1);
		while (next_field(&in, packet_end, &field)) {
			cleared |= field.number == 13 && field.value == 1;
			if (cleared)
				newest_iid = 0;
			if (field.number == 8)
				event.ts = field.value;
			for (const unsigned char *sub = field.bytes;
			     sub && (field.number == 11 || field.number == 12) &&
			     next_field(&sub, field.bytes + field.value, &inner);) {
				if (field.number == 12) {
					const unsigned char *name = inner.bytes;
					struct item iid;
					next_field(&name, inner.bytes + inner.value, &iid);
					newest_iid = iid.value > newest_iid ? iid.value : newest_iid;
					continue;
				}
				is_event = 1;
				event.type = inner.number == 9 ? inner.value : event.type;
				event.iid = inner.number == 10 ? inner.value : event.iid;
				event.track = inner.number == 11 ? inner.value : event.track;
			}
		}
		assert_true(event.iid <= newest_iid);
		if (is_event)
			events[count++] = event;
	}
	return count;
}

TEST(perfetto_slices_begin_and_end_in_turn_on_every_track)
{
	enum { TRACKS = 64 };
	size_t size;
	char *text = export_as("perfetto", 10000, &size); /* enough to clear the state several times */
	struct event *events = calloc(size / 4, sizeof(*events));
	size_t count = read_events((unsigned char *)text, size, events);
	struct {
		uint64_t track;
		int depth, deepest;
	} tracks[TRACKS] = { { 0 } };
	assert_true(count > 200000);
	assert_true(events[count - 1].type == 3); /* the end mark */
	qsort(events, count, sizeof(*events), by_time);
	size_t deep = 0, open = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned at = 0;
		while (tracks[at].track && tracks[at].track != events[i].track && at < TRACKS - 1)
			at++;
		tracks[at].track = events[i].track;
		tracks[at].depth += events[i].type == 1 ? 1 : events[i].type == 2 ? -1 : 0;
		assert_true(tracks[at].depth >= 0 && tracks[at].depth <= 2);
		if (tracks[at].depth > tracks[at].deepest)
			tracks[at].deepest = tracks[at].depth;
	}
	for (unsigned at = 0; at < TRACKS; at++) {
		deep += tracks[at].deepest == 2;
		open += tracks[at].depth != 0;
	}
	assert_int_equal(deep, 1); /* the stall lies in its busy slice, everything else is flat */
	assert_int_equal(open, 0);
	free(events);
	free(text);
}

TEST(perfetto_decodes_with_protoc)
{
	if (system("command -v protoc >/dev/null"))
		SKIP("no protoc");
	size_t size;
	char *text = export_as("perfetto", 10, &size), path[] = "/tmp/trace-XXXXXX", command[200];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	close(fd);
	snprintf(command, sizeof(command), "protoc --decode=Trace -Itests/data tests/data/trace.proto <%s 2>&1", path);
	FILE *decoded = popen(command, "r");
	char line[512];
	unsigned stalls = 0, unknown = 0, packets = 0, ends = 0;
	while (fgets(line, sizeof(line), decoded)) {
		packets += !strcmp(line, "packet {\n");
		stalls += strstr(line, "name: \"hashPw") != NULL;
		ends += strstr(line, "name: \"recording end, 12 lost\"") != NULL;
		char *word = line + strspn(line, " ");
		unknown += *word >= '0' && *word <= '9'; /* a field that the schema does not name */
	}
	assert_int_equal(pclose(decoded), 0);
	unlink(path);
	assert_true(packets > 100);
	assert_true(stalls > 0);
	assert_int_equal(ends, 1);
	assert_int_equal(unknown, 0);
	free(text);
}

/* ---- the rest ---- */

TEST(folded_stacks_name_the_process_and_end_in_a_count)
{
	size_t size;
	char *text = export_as("folded", 10, &size);
	assert_string_equal(text, "node;hashPw auth.js:41 1\n");
	free(text);
}

TEST(csv_has_a_line_per_busy_slice_and_empty_cells_for_what_was_not_measured)
{
	size_t size, lines = 0;
	char *text = export_as("csv", 10, &size), *at = text;
	for (; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 1 + 20);
	assert_non_null(strstr(text, "\n100,100,13,1081000000,201000000,,,,-1,1\n"));
	free(text);
}

TEST(json_lines_hold_every_record)
{
	size_t size, lines = 0, nulls = 0;
	char *text = export_as("json", 10, &size);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *object = json_loads(line, 0, NULL);
		assert_non_null(object);
		assert_true(json_is_string(json_object_get(object, "event")));
		nulls += json_is_null(json_object_get(object, "on_cpu_ns"));
		json_decref(object);
		lines++;
	}
	struct psr_reader *reader = a_recording(10);
	const struct ps_record *record;
	size_t records = 0;
	while (psr_reader_next(reader, &record) > 0)
		records++;
	psr_reader_close(reader);
	assert_int_equal(lines, records);
	assert_int_equal(nulls, 20);
	free(text);
}

/* What follows a name on its line, of the first line that begins so. */
static double metric(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	assert_non_null(at);
	return atof(at + strlen(name));
}

TEST(openmetrics_tells_the_totals_and_ends)
{
	size_t size;
	char *text = export_as("openmetrics", 10, &size);
	assert_true(size > 6 && !strcmp(text + size - 6, "# EOF\n"));
	assert_int_equal(metric(text, "pollscope_events_lost_total{source=\"ring\"} "), 12);
	assert_int_equal(metric(text, "pollscope_loops{process=\"node\",thread=\"node\"} "), 2);
	assert_int_equal(metric(text, "pollscope_loop_polls_total{process=\"node\",thread=\"node\"} "), 21);
	assert_int_equal(metric(text, "pollscope_loop_stall_seconds_count{process=\"node\",thread=\"node\"} "), 1);
	assert_true(metric(text, "pollscope_loop_stall_seconds_sum{process=\"node\",thread=\"node\"} ") > 0.2);
	assert_int_equal(
		metric(text, "pollscope_loop_stall_seconds_bucket{process=\"node\",thread=\"node\",le=\"0.1\"} "), 0);
	assert_int_equal(
		metric(text, "pollscope_loop_stall_seconds_bucket{process=\"node\",thread=\"node\",le=\"0.25\"} "), 1);
	assert_int_equal(metric(text, "pollscope_pool_finished_jobs_total{process=\"node\",kind=\"fs\"} "), 10);
	assert_int_equal(metric(text, "pollscope_pool_threads{process=\"node\"} "), 4);
	assert_null(strstr(text, "pollscope_loop_runnable_seconds_total{")); /* not measured is not 0 */
	free(text);
}

TEST(pprof_is_gzip_and_its_fields_are_those_of_a_profile)
{
	static unsigned char out[1 << 20];
	static const char *const words[] = {
		"samples", "stalled", "nanoseconds", "hashPw", "auth.js", "12 events lost"
	};
	size_t size, fields[16] = { 0 };
	char *text = export_as("pprof", 50, &size);
	z_stream zip = {
		.next_in = (unsigned char *)text, .avail_in = (uInt)size, .next_out = out, .avail_out = sizeof(out)
	};
	assert_int_equal(inflateInit2(&zip, 15 + 16), Z_OK);
	assert_int_equal(inflate(&zip, Z_FINISH), Z_STREAM_END);
	assert_int_equal(zip.avail_in, 0);
	size_t bytes = zip.total_out;
	inflateEnd(&zip);
	for (size_t at = 0; at < bytes;) {
		unsigned field = out[at] >> 3, wire = out[at] & 7;
		uint64_t value = 0;
		unsigned shift = 0;
		at++;
		do
			value |= (uint64_t)(out[at] & 0x7F) << shift;
		while (shift += 7, out[at++] & 0x80);
		assert_true(field < 16 && (wire == 0 || wire == 2));
		at += wire == 2 ? value : 0;
		fields[field]++;
	}
	assert_int_equal(fields[1], 2); /* types of values */
	assert_int_equal(fields[2], 5); /* a stack per stall */
	assert_int_equal(fields[4], 1); /* one place */
	assert_int_equal(fields[5], 1); /* one function */
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_non_null(memmem(out, bytes, words[i], strlen(words[i])));
	free(text);
}

TEST(an_empty_recording_exports_in_every_format)
{
	for (const struct exporter *const *exporter = exporters; *exporter; exporter++) {
		int fd = memfd_create("psr", MFD_CLOEXEC);
		char *text = NULL;
		size_t size;
		struct psr_reader *reader;
		assert_int_equal(psr_writer_open(&writer, fd, &make_info), 0);
		assert_int_equal(psr_writer_close(writer), 0);
		lseek(fd, 0, SEEK_SET);
		assert_int_equal(psr_reader_open(&reader, fd), 0);
		text = run_any(*exporter, reader, &size);
		psr_reader_close(reader);
		if (!strcmp((*exporter)->name, "chrome")) {
			json_t *document = json_loadb(text, size, 0, NULL);
			assert_non_null(document);
			json_decref(document);
		}
		free(text);
		close(fd);
	}
	assert_null(exporter_find("nothing"));
}

TEST(random_records_export_in_every_format)
{
	for (const struct exporter *const *exporter = exporters; *exporter; exporter++) {
		static uint64_t room[8192];
		int fd = memfd_create("psr", MFD_CLOEXEC);
		char *text = NULL;
		size_t size;
		struct psr_reader *reader;
		srand(21);
		assert_int_equal(psr_writer_open(&writer, fd, &make_info), 0);
		for (unsigned i = 0; i < 20000; i++)
			assert_int_equal(psr_writer_add(writer, make_record(room, make_event(), make_random(),
									    (uint32_t)rand() % 8)),
					 0);
		assert_int_equal(psr_writer_close(writer), 0);
		lseek(fd, 0, SEEK_SET);
		assert_int_equal(psr_reader_open(&reader, fd), 0);
		text = run_any(*exporter, reader, &size);
		psr_reader_close(reader);
		if (!strcmp((*exporter)->name, "chrome")) {
			json_t *document = json_loadb(text, size, 0, NULL);
			assert_non_null(document);
			json_decref(document);
		}
		free(text);
		close(fd);
	}
}

static long peak_kib(void)
{
	struct rusage usage;
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

TEST(an_export_takes_no_more_memory_of_ten_times_the_events)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	SKIP("the sanitizer keeps what was freed, so the peak is not the export's");
#endif
	for (const struct exporter *const *exporter = exporters; *exporter; exporter++) {
		long before = 0;
		if ((*exporter)->is_folder)
			continue; /* the same code writes its stream */
		for (unsigned rounds = 1200; rounds <= 12000; rounds *= 10) {
			FILE *out = fopen("/dev/null", "w");
			struct psr_reader *reader = a_recording(rounds);
			assert_int_equal(export_recording(*exporter, reader, out), 0);
			psr_reader_close(reader);
			fclose(out);
			if (before)
				assert_in_range(peak_kib(), before, before + 3000);
			before = peak_kib();
		}
	}
}

TEST(a_full_disk_ends_the_export_with_its_error)
{
	for (const struct exporter *const *exporter = exporters; *exporter; exporter++) {
		if ((*exporter)->is_folder)
			continue; /* tests/cli/formats.sh fills a disk for it */
		FILE *full = fopen("/dev/full", "w");
		assert_non_null(full);
		struct psr_reader *reader = a_recording(2000);
		int err = export_recording(*exporter, reader, full);
		assert_int_equal(err, -ENOSPC);
		psr_reader_close(reader);
		fclose(full);
	}
}
