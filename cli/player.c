/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seeking in a recording. The model is a function of the records before the
 * head, so going back means reading from the start: at millions of records a
 * second that is not felt. Time is the records', no clock is read here.
 */
#include "player.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

static int compare_times(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static int keep_stalls(struct player *player)
{
	const struct model *model = player->recording.model;
	player->stalls = calloc(model->stall_count + 1, sizeof(*player->stalls));
	if (!player->stalls)
		return -ENOMEM;
	for (size_t i = 0; i < model->stall_count; i++)
		player->stalls[player->stall_count++] = model->stalls[i]->start_ns + model->stalls[i]->duration_ns;
	qsort(player->stalls, player->stall_count, sizeof(*player->stalls), compare_times);
	return 0;
}

static int read_next(struct player *player)
{
	int got = psr_reader_next(player->recording.reader, &player->next);
	if (got > 0)
		return 0;
	player->next = NULL;
	player->at_end = 1;
	return got;
}

static int go_to_start(struct player *player)
{
	int err = recording_rewind(&player->recording);
	player->at_end = 0;
	player->head_ns = player->begin_ns;
	return err ? err : read_next(player);
}

int player_open(struct player *player, const char *name, uint64_t stall_ns)
{
	memset(player, 0, sizeof(*player));
	int code = recording_open(&player->recording, name, stall_ns);
	if (code)
		return code;
	if (lseek(player->recording.fd, 0, SEEK_CUR) < 0)
		return fault(CLI_USAGE, "replay seeks, so it wants a file and not a pipe");
	code = recording_read(&player->recording);
	if (code)
		return code;
	player->begin_ns = player->recording.model->start_ns;
	player->end_ns = player->recording.model->now_ns;
	int err = keep_stalls(player);
	if (!err)
		err = go_to_start(player);
	return err ? fault(CLI_USAGE, "cannot replay %s: %s", name, strerror(-err)) : 0;
}

void player_close(struct player *player)
{
	recording_close(&player->recording);
	free(player->stalls);
	player->stalls = NULL;
}

int player_seek(struct player *player, uint64_t time_ns)
{
	int err = 0;
	if (time_ns < player->begin_ns)
		time_ns = player->begin_ns;
	if (time_ns > player->end_ns)
		time_ns = player->end_ns;
	if (time_ns < player->head_ns)
		err = go_to_start(player);
	while (!err && player->next && (player->next->ts <= time_ns || time_ns == player->end_ns)) {
		err = model_apply(player->recording.model, player->next, player->next->size);
		if (!err)
			err = read_next(player);
	}
	player->head_ns = time_ns;
	return err;
}

uint64_t player_next_stall(const struct player *player)
{
	for (size_t i = 0; i < player->stall_count; i++)
		if (player->stalls[i] > player->head_ns)
			return player->stalls[i];
	return 0;
}

uint64_t player_previous_stall(const struct player *player)
{
	for (size_t i = player->stall_count; i-- > 0;)
		if (player->stalls[i] < player->head_ns)
			return player->stalls[i];
	return 0;
}
