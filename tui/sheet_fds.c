/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of descriptors that the chosen loop watches. Rates are those of the last second. */
#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "screen.h"

static size_t list_fds(const struct view *view, const void **rows, size_t room)
{
	const struct loop *loop = view->loop;
	size_t count = 0;
	for (size_t i = 0; loop && i < loop->fd_count; i++) {
		if (loop->fds[i].closed)
			continue;
		if (count < room)
			rows[count] = &loop->fds[i];
		count++;
	}
	return count;
}

uint64_t fd_identity(const struct fd_stat *fd)
{
	return ((uint64_t)(uint32_t)fd->fd << 32 | fd->generation) + 1;
}

static uint64_t identify(const struct view *view, const void *row)
{
	return fd_identity(row);
}

static void say_none(const struct view *view, char *out, size_t room)
{
	const char *why = view_missing(view->model, PS_PROBE_READY);
	if (!view->loop)
		snprintf(out, room, "no loop seen yet");
	else if (*why && !(view->loop->flags & PS_LOOP_RING))
		snprintf(out, room, "n/a  ready probe: %s", why);
	else
		snprintf(out, room, "no descriptor seen yet");
}

/* ---- cells ---- */

static uint64_t key_fd(const struct view *view, const void *row)
{
	const struct fd_stat *fd = row;
	return (uint32_t)fd->fd;
}

static void print_fd(const struct view *view, const void *row, char *out, size_t room)
{
	const struct fd_stat *fd = row;
	snprintf(out, room, "%d", fd->fd);
}

static void print_kind(const struct view *view, const void *row, char *out, size_t room)
{
	const struct fd_stat *fd = row;
	snprintf(out, room, "%s", kind_name(fd->kind));
}

static void print_name(const struct view *view, const void *row, char *out, size_t room)
{
	const struct fd_stat *fd = row;
	snprintf(out, room, "%s", fd->name && *fd->name ? fd->name : "n/a");
}

/* one member of the rate; negative = not measured */
static double rate_of(const struct view *view, const void *row, size_t member)
{
	struct fd_rate rate;
	double value = -1;
	if (rates_fd(view->rates, row, &rate))
		memcpy(&value, (const char *)&rate + member, sizeof(value));
	return value;
}

static uint64_t rounded(double value)
{
	return value < 0 ? PS_UNKNOWN : (uint64_t)(value + 0.5);
}

/* what is not counted all the time is at least that */
static const char *rate_mark(const struct view *view, const void *row, uint64_t value)
{
	struct fd_rate rate;
	return value != PS_UNKNOWN && rates_fd(view->rates, row, &rate) && rate.is_partial ? "~" : "";
}

#define RATE_OF(view, row, member) rate_of(view, row, offsetof(struct fd_rate, member))

static uint64_t key_events(const struct view *view, const void *row)
{
	return rounded(RATE_OF(view, row, ready));
}

static void print_events(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	uint64_t value = key_events(view, row);
	snprintf(out, room, "%s%s", rate_mark(view, row, value), cell_count(text, value));
}

static uint64_t key_in(const struct view *view, const void *row)
{
	return rounded(RATE_OF(view, row, read_bytes));
}

static void print_in(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	uint64_t value = key_in(view, row);
	snprintf(out, room, "%s%s", rate_mark(view, row, value), cell_bytes(text, value));
}

static uint64_t key_out(const struct view *view, const void *row)
{
	return rounded(RATE_OF(view, row, written_bytes));
}

static void print_out(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	uint64_t value = key_out(view, row);
	snprintf(out, room, "%s%s", rate_mark(view, row, value), cell_bytes(text, value));
}

/* callback times are told only by loops that tell their callbacks */
static int tells_callbacks(const struct view *view)
{
	return view->loop && view->loop->flags & (PS_LOOP_CALLBACKS | PS_LOOP_RING);
}

static uint64_t key_callback(const struct view *view, const void *row)
{
	double share = tells_callbacks(view) ? RATE_OF(view, row, callback_share) : -1;
	return rounded(share < 0 ? -1 : share * 1e6);
}

static void print_callback(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	double share = tells_callbacks(view) ? RATE_OF(view, row, callback_share) : -1;
	snprintf(out, room, "%s", cell_percent(text, share < 0 ? -1 : share * 100, ""));
}

static uint64_t key_lag(const struct view *view, const void *row)
{
	const struct fd_stat *fd = row;
	return fd->lag && fd->lag->count ? hist_quantile(fd->lag, 0.99) : PS_UNKNOWN;
}

static void print_lag(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_lag(view, row), ""));
}

static uint64_t key_buffered(const struct view *view, const void *row)
{
	const struct fd_stat *fd = row;
	return tells_callbacks(view) ? fd->buffered_bytes : PS_UNKNOWN;
}

static void print_buffered(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_bytes(text, key_buffered(view, row)));
}

static uint64_t key_busy99(const struct view *view, const void *row)
{
	const struct fd_stat *fd = row;
	return fd->lag_kernel && fd->lag_kernel->count ? hist_quantile(fd->lag_kernel, 0.99) : PS_UNKNOWN;
}

static void print_busy99(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_busy99(view, row), ""));
}

static uint64_t key_turn99(const struct view *view, const void *row)
{
	const struct fd_stat *fd = row;
	return fd->lag_turn && fd->lag_turn->count ? hist_quantile(fd->lag_turn, 0.99) : PS_UNKNOWN;
}

static void print_turn99(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_duration(text, key_turn99(view, row), ""));
}

static uint64_t key_empty(const struct view *view, const void *row)
{
	return ((const struct fd_stat *)row)->empty_wakeups;
}

static void print_empty(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_count(text, key_empty(view, row)));
}

static uint64_t key_unread(const struct view *view, const void *row)
{
	return ((const struct fd_stat *)row)->unread_bytes;
}

static void print_unread(const struct view *view, const void *row, char *out, size_t room)
{
	char text[24];
	snprintf(out, room, "%s", cell_bytes(text, key_unread(view, row)));
}

/* "12/511" of a listener */
static uint64_t key_backlog(const struct view *view, const void *row)
{
	const struct fd_stat *fd = row;
	return fd->kind == PS_KIND_LISTEN ? fd->backlog : PS_UNKNOWN;
}

static void print_backlog(const struct view *view, const void *row, char *out, size_t room)
{
	const struct fd_stat *fd = row;
	char waiting[24], most[24];
	if (fd->kind != PS_KIND_LISTEN)
		snprintf(out, room, "-");
	else if (fd->backlog == PS_UNKNOWN)
		snprintf(out, room, "n/a");
	else
		snprintf(out, room, "%s/%s", cell_count(waiting, fd->backlog), cell_count(most, fd->backlog_max));
}

/* the poller's bits as letters: r readable, w writable, e edge, o once, x exclusive, p priority */
static void print_interest(const struct view *view, const void *row, char *out, size_t room)
{
	static const struct { uint32_t bit; char letter; } bits[] = {
		{ 0x001, 'r' }, { 0x004, 'w' }, { 0x002, 'p' }, { 1u << 31, 'e' }, { 1u << 30, 'o' }, { 1u << 28, 'x' },
	};
	const struct fd_stat *fd = row;
	size_t used = 0;
	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits) && used + 1 < room; i++)
		if (fd->interest & bits[i].bit)
			out[used++] = bits[i].letter;
	if (!used)
		out[used++] = '-';
	out[used] = '\0';
}

static const struct column columns[] = {
	{ .name = "fd", .title = "FD", .width = 5, .right = 1, .ascending = 1, .note = "number of the descriptor",
	  .key = key_fd, .print = print_fd },
	{ .name = "kind", .title = "KIND", .width = 8, .priority = 2, .note = "what it is", .print = print_kind },
	{ .name = "name", .alias = "peer", .title = "PEER / PATH", .least = 20, .note = "its other end", .print = print_name },
	{ .name = "ev", .title = "EV/s", .width = 6, .right = 1, .priority = 1,
	  .note = "how often a second the poller reported it ready", .key = key_events, .print = print_events },
	{ .name = "in", .title = "IN", .width = 5, .right = 1, .priority = 5, .unit = SIZE,
	  .note = "bytes read a second", .key = key_in, .print = print_in },
	{ .name = "out", .title = "OUT", .width = 5, .right = 1, .priority = 6, .unit = SIZE,
	  .note = "bytes written a second", .key = key_out, .print = print_out },
	{ .name = "buffered", .title = "BUF", .width = 5, .right = 1, .priority = 7, .unit = SIZE,
	  .note = "bytes that wait to be written", .key = key_buffered, .print = print_buffered },
	{ .name = "cb", .title = "CB", .width = 5, .right = 1, .priority = 3,
	  .note = "share of wall time in its callbacks", .unit = PERCENT, .key = key_callback,
	  .print = print_callback },
	{ .name = "lag99", .alias = "lag", .title = "LAG99", .width = 6, .right = 1, .priority = 4, .unit = DURATION,
	  .note = "99 of 100 times it waited less than this from ready to callback", .key = key_lag, .print = print_lag },
	{ .name = "busy99", .title = "BUSY99", .width = 6, .right = 1, .priority = 9, .unit = DURATION, .note = "of that, until the poll returned it: the loop was busy",
	  .key = key_busy99, .print = print_busy99 },
	{ .name = "turn99", .title = "TURN99", .width = 6, .right = 1, .priority = 10, .unit = DURATION, .note = "of that, from the poll's return to its use: it waited for its turn",
	  .key = key_turn99, .print = print_turn99 },
	{ .name = "empty", .title = "EMPTY", .width = 5, .right = 1, .priority = 8,
	  .note = "wake-ups for it that found nothing to read or accept", .key = key_empty, .print = print_empty },
	{ .name = "unread", .title = "UNREAD", .width = 6, .right = 1, .priority = 11, .unit = SIZE,
	  .note = "bytes in the kernel that were not read at the last look", .key = key_unread, .print = print_unread },
	{ .name = "backlog", .title = "BACKLOG", .width = 9, .right = 1, .priority = 12,
	  .note = "of a listener: connections that wait, and how many may", .key = key_backlog, .print = print_backlog },
	{ .name = "wants", .title = "WANTS", .width = 5, .priority = 13,
	  .note = "what the poller is asked for: r read, w write, p priority, e edge, o once, x exclusive", .print = print_interest },
	{ .name = NULL },
};

const struct sheet fds_sheet = {
	.name = "fds",
	.columns = columns,
	.sort = 7,
	.sort_else = 3,
	.rows = list_fds,
	.identity = identify,
	.empty = say_none,
};
