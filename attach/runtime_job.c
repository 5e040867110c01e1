/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a job of libuv's pool is. Its work function tells most; jobs of Node's
 * C++ (crypto, zlib) all run through one, so the object around the request is
 * looked at: the third function of its class names the job's type.
 */
#include "runtime.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "symbols_parts.h"

#define VIRTUAL_DO 16 /* in the table of node::ThreadPoolWork: two destructors come before DoThreadPoolWork */

void runtime_function_name(struct symbols *symbols, uint64_t address, char *out, size_t room)
{
	char mangled[1024];
	*out = '\0';
	if (!address || symbols_place(symbols, address, mangled, sizeof(mangled)) != SYMBOLS_FILE)
		return;
	if (!symbols_demangle(mangled, out, room))
		snprintf(out, room, "%s", mangled);
}

/* "node::crypto::DeriveBitsJob<node::crypto::PBKDF2Traits>::DoThreadPoolWork()": "PBKDF2" */
static int take_traits(struct runtime_job *job, const char *name)
{
	const char *end = strstr(name, "Traits");
	const char *begin = end;
	while (begin && begin > name && (isalnum((unsigned char)begin[-1]) || begin[-1] == '_'))
		begin--;
	if (!end || begin == end)
		return 0;
	snprintf(job->class, sizeof(job->class), "%.*s", (int)(end - begin < 60 ? end - begin : 60), begin);
	return 1;
}

static const struct {
	const char *part, *class;
	enum ps_work_kind kind;
} node_jobs[] = {
	{ "crypto::", "crypto", PS_WORK_CRYPTO }, { "Zlib", "zlib", PS_WORK_OTHER },
	{ "Brotli", "brotli", PS_WORK_OTHER },	  { "uvimpl::Work", "napi", PS_WORK_USER },
	{ "sqlite", "sqlite", PS_WORK_USER },
};

/* 1: it is a job of Node's own classes. */
static int describe_node(struct runtime_job *job, const struct ps_pool_raw *raw, struct libuv_memory *memory,
			 struct symbols *symbols)
{
	uint64_t fn;
	char name[1024], word[32];
	memory->deadline = (struct deadline){ .ns = 0 };
	if (!raw->object || libuv_get(memory, raw->object + VIRTUAL_DO, &fn, sizeof(fn)))
		return 0;
	runtime_function_name(symbols, fn, name, sizeof(name));
	if (!strstr(name, "DoThreadPoolWork"))
		return 0;
	job->kind = PS_WORK_OTHER;
	snprintf(word, sizeof(word), "%.31s", raw->text);
	for (const char *at = word; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
			*word = '\0';
	snprintf(job->class, sizeof(job->class), "%s", word);
	for (size_t i = 0; i < sizeof(node_jobs) / sizeof(*node_jobs); i++) {
		if (!strstr(name, node_jobs[i].part))
			continue;
		job->kind = node_jobs[i].kind;
		snprintf(job->class, sizeof(job->class), "%s", node_jobs[i].class);
		break;
	}
	take_traits(job, name);
	snprintf(job->name, sizeof(job->name), "%s", job->class);
	return 1;
}

static void describe_user(struct runtime_job *job, const struct ps_pool_raw *raw, struct symbols *symbols)
{
	char name[1024];
	job->kind = PS_WORK_USER;
	runtime_function_name(symbols, raw->fn, name, sizeof(name));
	char *arguments = strchr(name, '(');
	if (arguments && arguments != name)
		*arguments = '\0';
	snprintf(job->class, sizeof(job->class), "%.63s", name);
	snprintf(job->name, sizeof(job->name), "%.159s", name);
}

static void describe_fs(struct runtime_job *job, const struct ps_pool_raw *raw)
{
	job->kind = PS_WORK_FS;
	if (raw->what != PS_POOL_START)
		return;
	job->op = (uint16_t)(raw->fs_type + 1);
	snprintf(job->class, sizeof(job->class), "fs.%s", libuv_fs_name(raw->fs_type));
	if (raw->text[0])
		snprintf(job->name, sizeof(job->name), "%s %.*s", libuv_fs_name(raw->fs_type), (int)sizeof(raw->text),
			 raw->text);
	else
		snprintf(job->name, sizeof(job->name), "%s fd %d", libuv_fs_name(raw->fs_type), raw->file);
}

/* Which job a work function makes; of a submit only that function is known. */
static enum ps_pool_job job_of(const struct ps_pool_raw *raw, const struct libuv_image *image)
{
	static const enum libuv_symbol works[PS_POOL_JOBS] = {
		[PS_POOL_FS] = LIBUV_uv__fs_work,
		[PS_POOL_ADDRINFO] = LIBUV_uv__getaddrinfo_work,
		[PS_POOL_NAMEINFO] = LIBUV_uv__getnameinfo_work,
		[PS_POOL_RANDOM] = LIBUV_uv__random_work,
		[PS_POOL_USER] = LIBUV_uv__queue_work,
	};
	if (raw->job != PS_POOL_ANY || raw->what != PS_POOL_SUBMIT)
		return raw->job < PS_POOL_JOBS ? raw->job : PS_POOL_ANY;
	for (unsigned i = PS_POOL_FS; i < PS_POOL_JOBS; i++)
		if (raw->fn && image->address[works[i]] == raw->fn)
			return (enum ps_pool_job)i;
	return PS_POOL_ANY;
}

void runtime_job_describe(struct runtime_job *job, const struct ps_pool_raw *raw, const struct libuv_image *image,
			  struct libuv_memory *memory, struct symbols *symbols)
{
	memset(job, 0, sizeof(*job));
	job->kind = PS_WORK_OTHER;
	switch (job_of(raw, image)) {
	case PS_POOL_FS:
		describe_fs(job, raw);
		break;
	case PS_POOL_ADDRINFO:
	case PS_POOL_NAMEINFO:
		job->kind = PS_WORK_DNS;
		job->slow = 1;
		snprintf(job->class, sizeof(job->class), "%s",
			 raw->job == PS_POOL_NAMEINFO ? "getnameinfo" : "getaddrinfo");
		snprintf(job->name, sizeof(job->name), "%.*s", (int)sizeof(raw->text), raw->text);
		break;
	case PS_POOL_RANDOM:
		job->kind = PS_WORK_CRYPTO;
		snprintf(job->class, sizeof(job->class), "uv_random");
		break;
	case PS_POOL_USER:
		if (!describe_node(job, raw, memory, symbols))
			describe_user(job, raw, symbols);
		break;
	default:
		break;
	}
}
