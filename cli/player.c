/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seeking in a recording. The model is a function of the records before the
 * head. Where NEAR records lead there from the start or from where we are, they
 * are applied and every figure is that of the whole; otherwise the model begins
 * at the earliest seek point from which NEAR records do, and base_ns says so.
 * Time is the records', no clock is read here.
 */
#include "player.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define NEAR 2000000ull /* records that are applied without being felt */
#define SCOUT 250000u /* a step of the scout when one waits for it */
#define FIRST_LOOK 100000u /* records in which a loop must have been told */

static int read_next(struct player *player)
{
	int got = psr_reader_next(player->recording.reader, &player->next);
	if (got > 0)
		return 0;
	player->next = NULL;
	player->at_end = 1;
	return got;
}

/* ---- the scout ---- */

static int keep_stall(void *arg, const struct stall *stall)
{
	struct player *player = arg;
	size_t at = player->stall_count;
	if (!(at & (at - 1))) { /* full at each power of two */
		uint64_t *stalls = realloc(player->stalls, (at ? at * 2 : 1) * sizeof(*stalls));
		if (!stalls)
			return -ENOMEM;
		player->stalls = stalls;
	}
	uint64_t over_ns = stall->start_ns + stall->duration_ns;
	for (; at && player->stalls[at - 1] > over_ns; at--) /* several loops: nearly in order */
		player->stalls[at] = player->stalls[at - 1];
	player->stalls[at] = over_ns;
	player->stall_count++;
	return 0;
}

static void end_scout(struct player *player)
{
	const struct model *model = player->scout.model;
	for (size_t i = 0; model && i < model->loop_count; i++)
		if (model->loops[i]->open_stall)
			keep_stall(player, model->loops[i]->open_stall);
	recording_close(&player->scout);
	player->scouted_ns = UINT64_MAX;
}

int player_scout(struct player *player, uint64_t records)
{
	struct recording *scout = &player->scout;
	const struct ps_record *record;
	if (scout->fd < 0)
		return 0;
	for (; records; records--) {
		int got = psr_reader_next(scout->reader, &record);
		if (got > 0)
			got = model_apply(scout->model, record, record->size) ? -ENOMEM : 1;
		if (got <= 0) {
			stalls_each_closed(&player->told, scout->model, keep_stall, player);
			end_scout(player);
			return 0;
		}
	}
	stalls_each_closed(&player->told, scout->model, keep_stall, player);
	player->scouted_ns = scout->model->now_ns;
	return 1;
}

/* ---- the head ---- */

static int start_at(struct player *player, const struct psr_point *point)
{
	int err = recording_rewind(&player->recording);
	player->at_end = 0;
	player->head_ns = player->base_ns = point ? point->ts : player->begin_ns;
	if (!err && point)
		err = psr_reader_seek(player->recording.reader, point);
	return err ? err : read_next(player);
}

/* How many records are before that time, as far as the seek points tell. */
static uint64_t records_before(const struct player *player, uint64_t time_ns)
{
	for (size_t i = 0; i < player->outline.point_count; i++)
		if (player->outline.points[i].ts > time_ns)
			return player->outline.points[i].before;
	return player->outline.events;
}

/* The earliest point from which one is near; NULL: that is the start. */
static const struct psr_point *find_base(const struct player *player, uint64_t time_ns)
{
	const struct psr_point *points = player->outline.points, *best = NULL;
	uint64_t before = records_before(player, time_ns);
	for (size_t i = 0; i < player->outline.point_count && points[i].ts <= time_ns && before > NEAR; i++) {
		best = &points[i];
		if (before - points[i].before <= NEAR)
			break;
	}
	return best;
}

/* 1: the head gets there by going on */
static int is_ahead(const struct player *player, uint64_t time_ns)
{
	return time_ns >= player->head_ns &&
	       records_before(player, time_ns) - records_before(player, player->head_ns) <= NEAR;
}

int player_seek(struct player *player, uint64_t time_ns)
{
	int err = 0;
	if (time_ns < player->begin_ns)
		time_ns = player->begin_ns;
	if (time_ns > player->end_ns)
		time_ns = player->end_ns;
	if (!is_ahead(player, time_ns))
		err = start_at(player, find_base(player, time_ns));
	while (!err && player->next && (player->next->ts <= time_ns || time_ns == player->end_ns)) {
		err = model_apply(player->recording.model, player->next, player->next->size);
		if (!err)
			err = read_next(player);
	}
	player->head_ns = time_ns;
	return err;
}

/* ---- opening ---- */

/* When the first loop appears is when the recording begins for people. */
static int find_begin(struct player *player)
{
	const struct model *model = player->recording.model;
	int err = read_next(player);
	for (unsigned i = 0; i < FIRST_LOOK && !err && player->next && !model->start_ns; i++) {
		err = model_apply(player->recording.model, player->next, player->next->size);
		if (!err)
			err = read_next(player);
	}
	player->begin_ns = model->start_ns ? model->start_ns : player->outline.first_ts;
	return err < 0 ? err : 0;
}

/* A short file, or one with something unreadable in its middle: all of it is read, so all stalls are known. */
static int read_all(struct player *player)
{
	int code = recording_read(&player->recording);
	const struct model *model = player->recording.model;
	for (size_t i = 0; i < model->stall_count && !code; i++)
		code = keep_stall(player, model->stalls[i]) ? fault(CLI_USAGE, "%s", strerror(ENOMEM)) : 0;
	player->begin_ns = model->start_ns;
	player->end_ns = model->now_ns;
	player->scouted_ns = UINT64_MAX;
	psr_outline_free(&player->outline);
	player->outline.events = 0;
	return code;
}

static int is_long(struct player *player, const char *name)
{
	return strcmp(name, "-") && !psr_outline_read(&player->outline, player->recording.fd) &&
	       player->outline.is_sound && player->outline.events > NEAR;
}

static int learn_length(struct player *player, const char *name, uint64_t stall_ns)
{
	if (!is_long(player, name))
		return read_all(player);
	int err = find_begin(player);
	player->end_ns = player->outline.last_ts;
	if (err)
		return fault(CLI_USAGE, "cannot replay %s: %s", name, strerror(-err));
	if (!player->outline.whole)
		say("%s: not finished by its writer", name);
	return recording_open(&player->scout, name, stall_ns);
}

int player_open(struct player *player, const char *name, uint64_t stall_ns)
{
	memset(player, 0, sizeof(*player));
	player->scout.fd = -1;
	int code = recording_open(&player->recording, name, stall_ns);
	if (code)
		return code;
	if (lseek(player->recording.fd, 0, SEEK_CUR) < 0)
		return fault(CLI_USAGE, "replay seeks, so it wants a file and not a pipe");
	code = learn_length(player, name, stall_ns);
	if (code)
		return code;
	int err = start_at(player, NULL);
	return err ? fault(CLI_USAGE, "cannot replay %s: %s", name, strerror(-err)) : 0;
}

void player_close(struct player *player)
{
	recording_close(&player->recording);
	recording_close(&player->scout);
	psr_outline_free(&player->outline);
	free(player->stalls);
	player->stalls = NULL;
}

/* ---- stalls ---- */

uint64_t player_next_stall(struct player *player)
{
	for (;; player_scout(player, SCOUT)) {
		for (size_t i = 0; i < player->stall_count; i++)
			if (player->stalls[i] > player->head_ns)
				return player->stalls[i];
		if (player->scouted_ns == UINT64_MAX)
			return 0;
	}
}

uint64_t player_previous_stall(struct player *player)
{
	while (player->scouted_ns < player->head_ns && player_scout(player, SCOUT))
		;
	for (size_t i = player->stall_count; i-- > 0;)
		if (player->stalls[i] < player->head_ns)
			return player->stalls[i];
	return 0;
}
