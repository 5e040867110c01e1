/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run did, by names that mean the same in every run: synchronous calls,
 * culprits of stalls, rules broken. A name is made from the culprit's sentence
 * without what changes from run to run and from commit to commit: line numbers,
 * descriptors, numbers and random parts of paths. So "readFileSync
 * /tmp/a8X2/c.json <- load app.js:41" is the same call as the one in line 43.
 *
 * What the machine did to the program (another program had the CPU, a quota ran
 * out, it was stopped) is no fact of the program, nor is a stall that would
 * have been none without it, nor the time that a process takes to end: nobody
 * waits for that loop any more. Garbage collection comes when it comes, a lock
 * is waited for when whoever holds it was interrupted: both are left to the
 * statistics.
 */
#include "check_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* ---- one stall ---- */

double stall_own_ns(const json_t *stall)
{
	double own = number_of(stall, "duration_ns") - number_of(stall, "runnable_ns");
	/* throttled time is part of the runnable time where both are measured */
	if (!json_is_number(json_object_get(stall, "runnable_ns")))
		own -= number_of(stall, "throttled_ns");
	return own > 0 ? own : 0;
}

static int is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words))
		words++;
	return *words != NULL;
}

int stall_is_of_host(const json_t *stall)
{
	static const char *const causes[] = { "run-queue", "throttled", "stopped", NULL };
	return is_one_of(string_of(stall, "cause"), causes) || !strcmp(string_of(stall, "rule"), "host");
}

int stall_is_end(const json_t *loop, const json_t *stall)
{
	double last = number_of(json_object_get(loop, "window"), "last_ns");
	return !json_is_true(json_object_get(stall, "open")) && last > 0 &&
	       number_of(stall, "start_ns") + number_of(stall, "duration_ns") >= last;
}

/* What is said of it, of the program's own part where most of it was the machine's doing. */
static const char *told(const json_t *stall, const char *key)
{
	const json_t *own = json_object_get(stall, "own");
	return string_of(json_is_object(own) ? own : stall, key);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

/* "… app.js:41" -> "app.js", 41; the culprit ends in the place when it has one */
static int split_place(const char *culprit, char name[96], uint32_t *line)
{
	const char *word = strrchr(culprit, ' '), *colon = strrchr(culprit, ':');
	word = word ? word + 1 : culprit;
	if (!colon || colon <= word || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
		return 0;
	snprintf(name, 96, "%.*s", (int)(colon - word), word);
	*line = (uint32_t)strtoul(colon + 1, NULL, 10);
	return 1;
}

/* Files inside the runtime are no place that its user can change. */
static int is_inside(const char *file)
{
	return !strncmp(file, "node:", 5) || !strncmp(file, "ext:", 4) || !strncmp(file, "internal/", 9);
}

void stall_place(const json_t *stall, char *file, size_t room, uint32_t *line)
{
	const json_t *stack, *frame;
	char name[96] = "";
	uint32_t wanted = 0;
	size_t i, k;
	int has_place = split_place(told(stall, "culprit"), name, &wanted);
	*file = 0;
	*line = 0;
	json_array_foreach(json_object_get(stall, "stacks"), i, stack)
		json_array_foreach(json_object_get(stack, "frames"), k, frame) {
			const char *full = string_of(frame, "file");
			if (!*full || (has_place ? strcmp(base_name(full), name) != 0 : *file || is_inside(full)))
				continue;
			text_clean(file, room, full, strlen(full));
			*line = has_place ? wanted : (uint32_t)number_of(frame, "line");
			if (has_place)
				return;
		}
	if (has_place && !*file) {
		text_clean(file, room, name, strlen(name));
		*line = wanted;
	}
}

/* ---- names ---- */

struct key {
	char *out;
	size_t length, room;
};

static void put(struct key *key, char c)
{
	if (key->length + 1 < key->room)
		key->out[key->length++] = c;
	key->out[key->length] = 0;
}

/* A directory for whatever has no better place: the names in it are chosen at random. */
static size_t random_room(const char *path)
{
	static const char *const rooms[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/" };
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
		if (!strncmp(path, rooms[i], strlen(rooms[i])))
			return strlen(rooms[i]);
	return 0;
}

/* "/tmp/x1/cache/a17.json" -> "/tmp/∗/cache/aN.json"; "/home/me/app/deadbeef01" -> "/home/me/app/N" */
static size_t put_path(struct key *key, const char *path, size_t bytes)
{
	size_t i = 0, room = random_room(path);
	for (; i < room; i++)
		put(key, path[i]);
	if (room) {
		put(key, '*');
		while (i < bytes && path[i] != '/')
			i++;
	}
	while (i < bytes) {
		size_t word = 0, digits = 0;
		while (i + word < bytes && isxdigit((unsigned char)path[i + word]))
			digits += isdigit((unsigned char)path[i + word++]) != 0;
		if (digits && word == digits) {
			put(key, 'N');
			i += word;
		} else if (digits && word >= 8) { /* a hash */
			put(key, 'N');
			i += word;
		} else {
			put(key, isdigit((unsigned char)path[i]) ? 'N' : path[i]);
			for (i++; i < bytes && isdigit((unsigned char)path[i - 1]) && isdigit((unsigned char)path[i]);)
				i++;
		}
	}
	return bytes;
}

/* The culprit's sentence without what is different each time. */
static void put_culprit(struct key *key, const char *culprit)
{
	for (const char *at = culprit; *at;) {
		size_t digits = strspn(at + 1, "0123456789");
		char after = at[1 + digits];
		if (*at == '/') {
			at += put_path(key, at, strcspn(at, " "));
		} else if (*at == ':' && digits && (!after || after == ' ' || after == ':')) {
			at += 1 + digits;
		} else if (*at == '(' && digits && after == ')') {
			put(key, '(');
			at += 1 + digits;
		} else {
			put(key, *at++);
		}
	}
}

static void name_fact(struct fact *fact, const json_t *stall)
{
	const char *culprit = told(stall, "culprit");
	struct key key = { fact->key, 0, sizeof(fact->key) };
	for (const char *at = told(stall, "rule"); *at; at++)
		put(&key, *at);
	if (fact->kind == FACT_RULE)
		return;
	put(&key, ' ');
	if (!strncmp(culprit, "not known", 9) || !strncmp(culprit, "[unresolved]", 12) || !strncmp(culprit, "[jit]", 5)) {
		fact->is_unknown = 1; /* of whatever rule */
		snprintf(fact->key, sizeof(fact->key), "not known");
		return;
	}
	put_culprit(&key, culprit);
}

/* ---- all of a run ---- */

static int same_fact(const struct fact *a, const struct fact *b)
{
	return a->kind == b->kind && !strcmp(a->key, b->key);
}

static struct fact *add_fact(struct facts *facts, const struct fact *fact)
{
	for (size_t i = 0; i < facts->count; i++)
		if (same_fact(&facts->list[i], fact))
			return &facts->list[i];
	if (facts->count == facts->room) {
		size_t room = facts->room ? 2 * facts->room : 32;
		struct fact *moved = realloc(facts->list, room * sizeof(*moved));
		if (!moved)
			return NULL;
		facts->list = moved;
		facts->room = room;
	}
	facts->list[facts->count] = *fact;
	return &facts->list[facts->count++];
}

static int is_call(const json_t *stall)
{
	return !strcmp(told(stall, "rule"), "sync-call") || !strcmp(string_of(stall, "cause"), "sync-io");
}

static int take_fact(struct facts *facts, enum fact_kind kind, const json_t *stall, size_t document)
{
	struct fact fact = { .kind = kind, .is_call = is_call(stall), .document = document };
	double ns = number_of(stall, "duration_ns");
	name_fact(&fact, stall);
	struct fact *known = add_fact(facts, &fact);
	if (!known)
		return -ENOMEM;
	known->runs += !known->runs || known->last != document;
	known->last = document;
	known->is_call |= fact.is_call;
	known->count++;
	known->total_ns += ns;
	if (known->count > 1 && ns <= known->longest_ns)
		return 0;
	known->longest_ns = ns;
	text_clean(known->text, sizeof(known->text), told(stall, "culprit"), strlen(told(stall, "culprit")));
	stall_place(stall, known->file, sizeof(known->file), &known->line);
	return 0;
}

static int take_stall(struct facts *facts, const json_t *loop, const json_t *stall, double threshold, size_t document)
{
	static const char *const by_chance[] = { "gc", "lock", NULL };
	const char *rule = told(stall, "rule"), *cause = string_of(stall, "cause"), *culprit = told(stall, "culprit");
	const char *call = string_of(json_object_get(stall, "syscall"), "name");
	if ((stall_is_of_host(stall) && !json_is_object(json_object_get(stall, "own"))) || stall_own_ns(stall) < threshold || stall_is_end(loop, stall))
		return 0;
	if (is_one_of(rule, by_chance) || is_one_of(cause, by_chance) ||
	    (!strcmp(call, "futex") && !strncmp(culprit, "futex", 5)))
		return 0;
	int err = take_fact(facts, FACT_STALL, stall, document);
	if (!err && is_call(stall))
		err = take_fact(facts, FACT_SYNC_CALL, stall, document);
	if (!err && *rule && strcmp(rule, "unknown"))
		err = take_fact(facts, FACT_RULE, stall, document);
	return err;
}

static int by_key(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;
	return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->key, y->key);
}

int facts_gather(struct facts *facts, const struct check_runs *runs, const struct where *where)
{
	int err = 0;
	*facts = (struct facts){ 0 };
	for (size_t i = 0; i < runs->count && !err; i++) {
		double threshold = number_of(runs->documents[i], "stall_threshold_ns");
		const json_t *loop, *stall;
		size_t k, s;
		json_array_foreach(json_object_get(runs->documents[i], "loops"), k, loop)
			json_array_foreach(json_object_get(loop, "stalls"), s, stall)
				if (!err && loop_counts(runs->documents[i], loop, where))
					err = take_stall(facts, loop, stall, threshold, i);
	}
	if (facts->count)
		qsort(facts->list, facts->count, sizeof(*facts->list), by_key);
	return err;
}

const struct fact *facts_find(const struct facts *facts, const struct fact *like)
{
	return facts->count ? bsearch(like, facts->list, facts->count, sizeof(*facts->list), by_key) : NULL;
}

void facts_free(struct facts *facts)
{
	free(facts->list);
	*facts = (struct facts){ 0 };
}
