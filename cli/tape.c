/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files are created with O_EXCL|O_NOFOLLOW (output.c). --keep takes away only
 * what this run has written: a name that leads to another file by now is left.
 *
 * A stall is written with the seconds around it: AFTER_SHARE of the ring, at
 * most AFTER_MOST, is waited for what follows it, and never so long that less
 * than a quarter of the ring would be left for what was before.
 */
#include "tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "recording.h"

#define RING_BYTES (256u << 20)
#define RING_DEFAULT_NS 30000000000ull
#define AFTER_SHARE 6
#define AFTER_MOST 5000000000ull

static int is_flight(const struct tape *tape)
{
	return tape->options->ring_ns || tape->options->on_stall_ns;
}

static uint64_t span_ns(const struct tape *tape)
{
	return tape->options->ring_ns ? tape->options->ring_ns : RING_DEFAULT_NS;
}

/* ---- names and files ---- */

static int print_name(char out[PATH_MAX], const char *given, unsigned number)
{
	const char *base = strrchr(given, '/');
	const char *dot = strrchr(base ? base + 1 : given, '.');
	size_t stem = dot && dot > (base ? base + 1 : given) ? (size_t)(dot - given) : strlen(given);
	int bytes = number == 1 ? snprintf(out, PATH_MAX, "%s", given)
				: snprintf(out, PATH_MAX, "%.*s.%04u%s", (int)stem, given, number, given + stem);
	return bytes < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int is_taken(const char *name)
{
	struct stat st;
	return !lstat(name, &st);
}

/* The next file of the row. The first must be free or forced; of the others a number that is taken is passed over. */
static int open_file(struct tape *tape)
{
	const struct options *options = tape->options;
	do {
		tape->number++;
		if (tape->number >= TAPE_NUMBERS || print_name(tape->name, options->output, tape->number))
			return fault(CLI_OUTPUT, "there is no free name like %s any more", tape->name);
	} while (tape->number > 1 && !options->force && is_taken(tape->name));
	return output_open(&tape->output, tape->name, options->force);
}

static void forget_oldest(struct tape *tape, int remove)
{
	struct tape_file *file = tape->oldest;
	struct stat st;
	if (!file)
		return;
	tape->oldest = file->next;
	tape->kept--;
	if (remove && !lstat(file->name, &st) && st.st_dev == file->device && st.st_ino == file->inode)
		unlink(file->name);
	free(file);
}

static void remember(struct tape *tape)
{
	struct stat st;
	struct tape_file *file = malloc(sizeof(*file) + strlen(tape->name) + 1);
	if (!file || fstat(tape->output.fd, &st) || !S_ISREG(st.st_mode)) {
		free(file);
		return;
	}
	*file = (struct tape_file){ .device = st.st_dev, .inode = st.st_ino };
	memcpy(file->name, tape->name, strlen(tape->name) + 1);
	if (tape->oldest)
		tape->newest->next = file;
	else
		tape->oldest = file;
	tape->newest = file;
	tape->kept++;
	while (tape->options->keep && tape->oldest && tape->kept > tape->options->keep)
		forget_oldest(tape, 1);
}

/* From now on the file under way stays. */
static int settle(struct tape *tape)
{
	int code = output_settle(&tape->output);
	if (code)
		return code;
	tape->files++;
	if (tape->options->keep)
		remember(tape);
	return 0;
}

static void tell_error(struct tape *tape, int err)
{
	if (!err || tape->error)
		return;
	tape->error = err;
	if (fault_code(SIDE_OUTPUT, err))
		fault(CLI_OUTPUT, "recording to %s stopped: %s; what is before it stays readable", tape->name,
		      strerror(-err));
}

static void stop(struct tape *tape, int err)
{
	tell_error(tape, err);
	tape->over |= err != 0;
}

/*
 * A pipe that nobody reads must not keep Ctrl-C from us, so it is written without blocking. Standard output is opened
 * anew for that: the one we were given may be shared with others, who do not expect it.
 */
static void unblock(struct output *output)
{
	struct stat st;
	if (fstat(output->fd, &st) || !S_ISFIFO(st.st_mode))
		return;
	if (output->owned) {
		fcntl(output->fd, F_SETFL, fcntl(output->fd, F_GETFL) | O_NONBLOCK);
		return;
	}
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", output->fd);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	output->fd = fd;
	output->owned = 1;
}

/* ---- rotation ---- */

/* The file is complete: another one goes on. */
static void rotate(struct tape *tape)
{
	struct psr_info info;
	struct output full = tape->output;
	if (open_file(tape)) { /* said why */
		tape->output = full;
		tape->error = tape->error ? tape->error : -EEXIST;
		tape->over = 1;
		return;
	}
	recording_describe(&info, tape->stall_ns);
	int err = psr_writer_next(tape->writer, tape->output.fd, &info);
	int closed = output_close(&full);
	if (!err && (closed || settle(tape)))
		err = -EIO;
	tape->begun_ns = tape->newest_ns;
	stop(tape, err);
}

static int is_full(const struct tape *tape)
{
	const struct options *options = tape->options;
	if (options->rotate_bytes && psr_writer_bytes(tape->writer) >= options->rotate_bytes)
		return 1;
	return options->rotate_ns && tape->begun_ns && tape->newest_ns > tape->begun_ns &&
	       tape->newest_ns - tape->begun_ns >= options->rotate_ns;
}

/* ---- flight mode ---- */

/* Writes the ring to the next file. A failure is told; it ends nothing, the next file may have room. */
static void dump(struct tape *tape, const char *why)
{
	struct psr_info info;
	int code = tape->output.fd >= 0 ? 0 : open_file(tape);
	tape->armed = 0;
	if (code) {
		tape->error = tape->error ? tape->error : -EEXIST;
		return;
	}
	recording_describe(&info, tape->stall_ns);
	uint64_t held = psr_writer_held(tape->writer);
	int got = psr_writer_dump(tape->writer, tape->output.fd, &info);
	if (got > 0 && settle(tape))
		got = -EIO;
	if (got < 0) {
		tell_error(tape, got);
		if (psr_writer_bytes(tape->writer)) /* a file that holds some is better than none */
			settle(tape);
	}
	if (got > 0)
		say("%s: the last %.1f s are in %s", why, 1e-9 * (double)(tape->newest_ns - tape->begun_ns),
		    tape->name);
	if (!got && !held)
		say("%s: nothing has happened that is in no file yet", why);
	if (!got)
		tape->number--;
	output_close(&tape->output);
	tape->dumped_ns = tape->newest_ns;
	tape->begun_ns = tape->newest_ns;
}

static uint64_t after_ns(const struct tape *tape)
{
	uint64_t after = span_ns(tape) / AFTER_SHARE;
	return after < AFTER_MOST ? after : AFTER_MOST;
}

static void arm(struct tape *tape, const struct stall *stall, uint64_t end_ns)
{
	if (!tape->armed) {
		tape->armed = 1;
		tape->since_ns = stall->start_ns;
		tape->longest_ns = 0;
	}
	if (stall->duration_ns > tape->longest_ns)
		tape->longest_ns = stall->duration_ns;
	uint64_t latest = tape->since_ns + span_ns(tape) / 4 * 3;
	tape->due_ns = end_ns + after_ns(tape) < latest ? end_ns + after_ns(tape) : latest;
}

static int see_closed(void *arg, const struct stall *stall)
{
	struct tape *tape = arg;
	if (stall->duration_ns >= tape->options->on_stall_ns)
		arm(tape, stall, stall->start_ns + stall->duration_ns);
	return 0;
}

/* One that goes on counts from when it was long enough; in a file that was written since, it is already. */
static void see_open(struct tape *tape, const struct stall *stall, uint64_t now_ns)
{
	uint64_t enough = tape->options->on_stall_ns;
	if (stall->duration_ns >= enough && stall->start_ns + enough >= tape->dumped_ns)
		arm(tape, stall, now_ns);
}

static void look_for_stalls(struct tape *tape, const struct model *model)
{
	char why[64];
	stalls_each_closed(&tape->stalls, model, see_closed, tape);
	for (size_t i = 0; i < model->loop_count; i++)
		if (model->loops[i]->open_stall)
			see_open(tape, model->loops[i]->open_stall, model->now_ns);
	if (!tape->armed || model->now_ns < tape->due_ns)
		return;
	snprintf(why, sizeof(why), "a stall of %llu ms", (unsigned long long)(tape->longest_ns / 1000000));
	dump(tape, why);
}

static void tell_overflow(struct tape *tape)
{
	uint64_t overflows = psr_writer_overflows(tape->writer);
	if (overflows && !tape->overflows)
		say("the ring holds less than %llu s: %u MiB are full",
		    (unsigned long long)(span_ns(tape) / 1000000000), RING_BYTES >> 20);
	tape->overflows = overflows;
}

/* ---- life ---- */

int tape_open(struct tape *tape, const struct options *options)
{
	*tape = (struct tape){ .options = options, .output = { .fd = -1 } };
	int many = is_flight(tape) || options->rotate_bytes || options->rotate_ns;
	if (many && !strcmp(options->output, "-"))
		return fault(CLI_USAGE, "%s writes files: give -o FILE.psr", is_flight(tape) ? "--ring" : "--rotate");
	if (is_flight(tape) && (options->rotate_bytes || options->rotate_ns))
		return fault(CLI_USAGE,
			     "--ring writes a file per event, --rotate cuts one that goes on: choose one of them");
	if (options->keep && !many)
		return fault(CLI_USAGE, "--keep limits the files of --rotate or --ring: give one of them too");
	int code = open_file(tape);
	if (!code)
		unblock(&tape->output);
	if (code || !is_flight(tape))
		return code;
	tape->number = 0; /* it could be created, and comes when there is something to write */
	return output_close(&tape->output);
}

int tape_start(struct tape *tape, uint64_t stall_ns)
{
	struct psr_info info;
	tape->stall_ns = stall_ns;
	recording_describe(&info, stall_ns);
	int err = is_flight(tape) ? psr_writer_open_ring(&tape->writer, span_ns(tape), RING_BYTES)
				  : psr_writer_open(&tape->writer, tape->output.fd, &info);
	if (!err)
		return is_flight(tape) ? 0 : settle(tape);
	return fault(fault_code(SIDE_OUTPUT, err), "cannot write %s: %s", tape->name, strerror(-err));
}

void tape_add(struct tape *tape, const struct ps_record *record)
{
	if (!tape->writer || tape->over)
		return;
	int err = psr_writer_add(tape->writer, record);
	if (!tape->begun_ns)
		tape->begun_ns = record->ts;
	if (record->ts > tape->newest_ns)
		tape->newest_ns = record->ts;
	stop(tape, err);
	if (!tape->over && is_full(tape))
		rotate(tape);
}

void tape_look(struct tape *tape, const struct model *model)
{
	if (!tape->writer || tape->over || !is_flight(tape))
		return;
	uint64_t span = span_ns(tape);
	if (tape->newest_ns - tape->begun_ns > span) /* what is older has left the ring */
		tape->begun_ns = tape->newest_ns - span;
	tell_overflow(tape);
	if (tape->options->on_stall_ns)
		look_for_stalls(tape, model);
}

void tape_flush(struct tape *tape)
{
	if (tape->writer && !tape->over)
		stop(tape, psr_writer_flush(tape->writer));
}

void tape_wanted(struct tape *tape)
{
	const struct options *options = tape->options;
	if (!tape->writer || tape->over)
		return;
	if (is_flight(tape))
		dump(tape, "SIGUSR1");
	else if (options->rotate_bytes || options->rotate_ns)
		rotate(tape);
	else
		tape_flush(tape);
}

void tape_finish(struct tape *tape)
{
	if (!tape->writer)
		return;
	if (is_flight(tape) && !tape->over)
		dump(tape, "the end");
	stop(tape, psr_writer_close(tape->writer));
	tape->writer = NULL;
}

int tape_unread(const struct tape *tape)
{
	return tape->error && !fault_code(SIDE_OUTPUT, tape->error);
}

void tape_tell(const struct tape *tape, uint64_t events, uint64_t lost)
{
	char row[64] = "";
	if (tape->error || !tape->files)
		return;
	if (tape->files > 1)
		snprintf(row, sizeof(row), " and %u more like it", tape->files - 1);
	say("%llu events in %s%s; %llu lost", (unsigned long long)events, tape->options->output, row,
	    (unsigned long long)lost);
}

int tape_close(struct tape *tape)
{
	psr_writer_close(tape->writer);
	tape->writer = NULL;
	while (tape->oldest)
		forget_oldest(tape, 0);
	return tape->options ? output_close(&tape->output) : 0;
}
