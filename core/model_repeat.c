/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same culprit, stall after stall: stalls that have ended are counted by
 * who is to blame and which rule was broken. The key is made of names only, so
 * it is the same in the next run: no addresses, lines or numbers of threads.
 */
#include "model_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

/* "regex validate /srv/app/check.js", "crypto PKCS5_PBKDF2_HMAC libcrypto.so.3", "sync-call fsync", "host" */
static void write_key(const struct stall *stall, char *out, size_t room)
{
	const char *rule = stall_rule_name(stall->rule);
	const struct frame *frame = stall->blamed;
	const char *call = stall->syscall >= 0 ? syscall_name(stall->syscall) : NULL;
	if (stall->rule == RULE_HOST)
		snprintf(out, room, "%s", rule);
	else if (frame && *frame->file)
		snprintf(out, room, "%s %s %s", rule, frame->name, frame->file);
	else if (frame)
		snprintf(out, room, "%s %s %s", rule, *frame->name ? frame->name : "[unresolved]", last_part(frame->module));
	else
		snprintf(out, room, "%s %s", rule, call && stall->rule == RULE_SYNC_CALL ? call : "?");
}

uint64_t culprit_hash(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3ull; /* FNV-1a */
	return hash;
}

uint64_t stall_culprit_hash(const struct stall *stall)
{
	char key[512];
	write_key(stall, key, sizeof(key));
	return culprit_hash(key);
}

static struct culprit_stat *find_row(struct model_own *model, const char *key, uint64_t hash)
{
	uint64_t at = table_get(&model->culprits, hash);
	if (at)
		return &model->pub.culprits[at - 1];
	if (model->pub.culprit_count >= MAX_CULPRITS) {
		model->pub.dropped++;
		return NULL;
	}
	const char *kept = names_keep(model, key);
	if (!kept || array_room(model, &model->pub.culprits, &model->culprit_room, model->pub.culprit_count,
				sizeof(*model->pub.culprits)))
		return NULL;
	if (table_put(&model->culprits, hash, model->pub.culprit_count + 1)) {
		model->out_of_memory = 1;
		return NULL;
	}
	struct culprit_stat *row = &model->pub.culprits[model->pub.culprit_count++];
	*row = (struct culprit_stat){ .key = kept, .name = "", .file = "" };
	return row;
}

/* A histogram takes 2.5 KiB, and many blame the same one only once. */
static void add_duration(struct culprit_stat *row, uint64_t ns)
{
	if (row->count == 1 && !row->hist) {
		row->hist = calloc(1, sizeof(*row->hist));
		if (row->hist)
			hist_add(row->hist, row->total_ns);
	}
	if (row->hist)
		hist_add(row->hist, ns);
}

uint64_t culprit_quantile(const struct culprit_stat *row, double q)
{
	if (row->count == 1)
		return row->max_ns;
	return row->hist ? hist_quantile(row->hist, q) : PS_UNKNOWN;
}

void culprit_count(struct model_own *model, const struct stall *stall)
{
	char key[512];
	write_key(stall, key, sizeof(key));
	struct culprit_stat *row = find_row(model, key, culprit_hash(key));
	if (!row)
		return;
	const struct frame *frame = stall->rule == RULE_HOST ? NULL : stall->blamed;
	if (frame) {
		row->name = frame->name;
		row->file = *frame->file ? frame->file : frame->module;
	}
	row->pid = stall->loop->pid;
	row->tid = stall->loop->tid;
	row->rule = stall->rule;
	row->first_ns = row->count ? row->first_ns : stall->start_ns;
	row->last_ns = most(row->last_ns, stall->start_ns + stall->duration_ns);
	add_duration(row, stall->duration_ns);
	row->count++;
	row->total_ns += stall->duration_ns;
	if (stall->duration_ns >= row->max_ns) {
		row->max_ns = stall->duration_ns;
		row->worst_id = stall->id;
		row->cause = stall->cause;
		row->line = frame ? frame->line : 0;
	}
}
