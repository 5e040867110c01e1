/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions and variables of a stripped libuv, from the code of those that it
 * exports. uv_fs_stat and its like end in one call, uv__work_submit(loop, work,
 * kind, work function, done function), with the addresses of both functions
 * loaded just before; uv_queue_work holds a copy of that call, and with it the
 * addresses of the queue and of the count of idle threads. The other variables
 * of the pool stand beside these, in the order of their definition.
 *
 * Nothing is taken on the word of one place: the target of the call must be the
 * same in two functions at least, functions must lie in the code, and variables
 * must hold what they can hold.
 */
#include "libuv.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ps_event.h"

#define CODE_BYTES 1024u
#define NEAR 64u /* bytes from the first of the two loads to the call */

#if defined(__x86_64__)

struct code {
	uint64_t address;
	size_t bytes;
	uint8_t at[CODE_BYTES];
};

static int read_code(struct code *code, struct libuv_memory *memory, uint64_t address)
{
	code->address = address;
	code->bytes = sizeof(code->at);
	while (address && code->bytes >= 64 && libuv_get(memory, address, code->at, code->bytes))
		code->bytes /= 2;
	return address && code->bytes >= 64 ? 0 : -1;
}

/* What a 32-bit displacement at `at` refers to; the instruction ends `after` bytes behind it. */
static uint64_t target(const struct code *code, size_t at, size_t after)
{
	int32_t distance;
	memcpy(&distance, code->at + at, sizeof(distance));
	return code->address + at + sizeof(distance) + after + (uint64_t)(int64_t)distance;
}

static int is_code(const struct libuv_image *image, uint64_t address)
{
	return address >= image->text_start && address < image->text_end;
}

/* lea reg, [rip + x] */
static int is_lea(const struct code *code, size_t at, uint8_t rex, uint8_t modrm)
{
	return at + 7 <= code->bytes && code->at[at] == rex && code->at[at + 1] == 0x8d && code->at[at + 2] == modrm;
}

struct call {
	uint64_t submit, work, done;
};

/* lea r8, [done]; lea rcx, [work], in any order; … call or jmp submit */
static int find_call(struct call *call, const struct libuv_image *image, const struct code *code)
{
	size_t work_at = 0, done_at = 0;
	for (size_t i = 0; i + 7 <= code->bytes; i++) {
		if (is_lea(code, i, 0x48, 0x0d) && is_code(image, target(code, i + 3, 0))) {
			call->work = target(code, i + 3, 0);
			work_at = i + 1;
		} else if (is_lea(code, i, 0x4c, 0x05) && is_code(image, target(code, i + 3, 0))) {
			call->done = target(code, i + 3, 0);
			done_at = i + 1;
		} else if (work_at && done_at && (code->at[i] == 0xe8 || code->at[i] == 0xe9)) {
			size_t first = work_at < done_at ? work_at : done_at;
			call->submit = target(code, i + 1, 0);
			if (i - first < NEAR && is_code(image, call->submit))
				return 1;
		}
	}
	return 0;
}

static void take(struct libuv_image *image, enum libuv_symbol symbol, uint64_t address)
{
	if (image->address[symbol] || !address)
		return;
	image->address[symbol] = address;
	if (is_code(image, address))
		image->offset[symbol] = address - image->text_start + image->text_offset;
}

static void find_jobs(struct libuv_image *image, struct libuv_memory *memory)
{
	static const struct {
		enum libuv_symbol from, work, done;
	} kinds[] = {
		{ LIBUV_uv_fs_stat, LIBUV_uv__fs_work, LIBUV_uv__fs_done },
		{ LIBUV_uv_getaddrinfo, LIBUV_uv__getaddrinfo_work, LIBUV_uv__getaddrinfo_done },
		{ LIBUV_uv_getnameinfo, LIBUV_uv__getnameinfo_work, LIBUV_uv__getnameinfo_done },
		{ LIBUV_uv_random, LIBUV_uv__random_work, LIBUV_uv__random_done },
	};
	enum { KINDS = sizeof(kinds) / sizeof(*kinds) };
	struct call calls[KINDS] = { 0 };
	struct code code;
	int found[KINDS] = { 0 };
	for (size_t i = 0; i < KINDS; i++)
		found[i] =
			!read_code(&code, memory, image->address[kinds[i].from]) && find_call(&calls[i], image, &code);
	for (size_t i = 0; i < KINDS; i++) {
		size_t agree = 0;
		for (size_t k = 0; found[i] && k < KINDS; k++)
			agree += found[k] && calls[k].submit == calls[i].submit;
		if (agree < 2)
			continue;
		take(image, LIBUV_uv__work_submit, calls[i].submit);
		take(image, kinds[i].work, calls[i].work);
		take(image, kinds[i].done, calls[i].done);
	}
}

/* Whether the first bytes of a function load a word `distance` bytes from its argument (rdi). */
static int loads(struct libuv_memory *memory, uint64_t function, int distance)
{
	struct code code;
	if (read_code(&code, memory, function))
		return 0;
	for (size_t i = 0; i + 4 <= 32; i++)
		if (code.at[i] == 0x48 && code.at[i + 1] == 0x8b && (code.at[i + 2] & 0xc7) == 0x47 &&
		    (int8_t)code.at[i + 3] == distance)
			return 1;
	/* jmp or call [rdi + distance] */
	for (size_t i = 0; i + 3 <= 32; i++)
		if (code.at[i] == 0xff && (code.at[i + 1] == 0x67 || code.at[i + 1] == 0x57) &&
		    (int8_t)code.at[i + 2] == distance)
			return 1;
	return 0;
}

/* uv__queue_work calls the user's function, which stands so far before the struct uv__work that it gets. */
static void find_user_job(struct libuv_image *image, struct libuv_memory *memory, const struct code *code)
{
	int to_cb = (int)libuv_layout.job_cb - (int)libuv_layout.job_work;
	int to_after = to_cb + 8, to_loop = to_cb - 8;
	for (size_t i = 0; i + 7 <= code->bytes; i++) {
		if ((code->at[i] != 0x48 && code->at[i] != 0x4c) || code->at[i + 1] != 0x8d ||
		    (code->at[i + 2] & 0xc7) != 0x05)
			continue;
		uint64_t function = target(code, i + 3, 0);
		if (!is_code(image, function))
			continue;
		if (loads(memory, function, to_cb))
			take(image, LIBUV_uv__queue_work, function);
		else if (loads(memory, function, to_after) || loads(memory, function, to_loop))
			take(image, LIBUV_uv__queue_done, function);
	}
}

/* The queue: its address is loaded, and so is the word behind it (its last job). */
static uint64_t find_queue(const struct code *code)
{
	for (size_t i = 0; i + 7 <= code->bytes; i++) {
		if (code->at[i] != 0x48 || code->at[i + 1] != 0x8d || (code->at[i + 2] & 0xc7) != 0x05)
			continue;
		uint64_t queue = target(code, i + 3, 0);
		for (size_t k = i; k + 7 <= code->bytes && k < i + NEAR; k++)
			if (code->at[k] == 0x48 && code->at[k + 1] == 0x8b && (code->at[k + 2] & 0xc7) == 0x05 &&
			    target(code, k + 3, 0) == queue + 8)
				return queue;
	}
	return 0;
}

/* mov eax, [idle_threads]; … test eax, eax */
static uint64_t find_idle(const struct code *code, uint64_t queue)
{
	for (size_t i = 0; i + 24 <= code->bytes; i++) {
		if (code->at[i] != 0x8b || code->at[i + 1] != 0x05)
			continue;
		uint64_t idle = target(code, i + 2, 0);
		for (size_t k = i + 6; k < i + 22 && idle > queue && idle - queue < 256; k++)
			if (code->at[k] == 0x85 && code->at[k + 1] == 0xc0)
				return idle;
	}
	return 0;
}

static int is_ring(struct libuv_memory *memory, uint64_t head)
{
	uint64_t links[2], back;
	if (libuv_get(memory, head, links, sizeof(links)))
		return 0;
	return !links[0] || (!libuv_get(memory, links[0] + 8, &back, sizeof(back)) && back == head);
}

static void find_pool(struct libuv_image *image, struct libuv_memory *memory, const struct code *code)
{
	uint64_t queue = find_queue(code), idle = queue ? find_idle(code, queue) : 0;
	uint32_t counts[3]; /* threads, slow ones that run, idle ones */
	if (!queue || !idle || !is_ring(memory, queue) || !is_ring(memory, queue - 32))
		return;
	if (libuv_get(memory, idle - 8, counts, sizeof(counts)))
		return;
	if (counts[0] > 1024 || counts[2] > counts[0] || counts[1] > counts[0])
		return;
	take(image, LIBUV_wq, queue);
	take(image, LIBUV_run_slow_work_message, queue - 16);
	take(image, LIBUV_slow_io_pending_wq, queue - 32);
	take(image, LIBUV_nthreads, idle - 8);
	take(image, LIBUV_slow_io_work_running, idle - 4);
	take(image, LIBUV_idle_threads, idle);
}

void libuv_decode(struct libuv_image *image, struct libuv_memory *memory)
{
	struct code code;
	find_jobs(image, memory);
	if (read_code(&code, memory, image->address[LIBUV_uv_queue_work]))
		return;
	/* of itself, not of the functions behind it */
	for (size_t i = 0; i + 1 < code.bytes; i++)
		if (code.at[i] == 0x66 && code.at[i + 1] == 0x66 && i > 64)
			code.bytes = i;
	find_user_job(image, memory, &code);
	/* it is in use: what does not fit together may do so a moment later */
	for (int attempt = 0; attempt < 8 && !image->address[LIBUV_wq]; attempt++)
		find_pool(image, memory, &code);
}

#else

void libuv_decode(struct libuv_image *image, struct libuv_memory *memory)
{
	(void)image;
	(void)memory;
}

#endif

/*
 * Where in a function a breakpoint costs least. The kernel emulates a push or a jump; any other instruction it runs
 * elsewhere by a single step, a second trap that costs more than the first. uv_async_send, which workers call while they
 * hold the loop's lock, begins `mov eax, [rdi + x]; test eax, eax` and goes on with a jump: rdi is the same there.
 */
uint64_t libuv_probe_offset(const char *path, uint64_t offset)
{
#if defined(__x86_64__)
	uint8_t code[7];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : pread(fd, code, sizeof(code), (off_t)offset);
	if (fd >= 0)
		close(fd);
	int loads = got == sizeof(code) && code[0] == 0x8b && code[1] == 0x47 && code[3] == 0x85 && code[4] == 0xc0;
	int jumps = loads && ((code[5] & 0xf0) == 0x70 || (code[5] == 0x0f && (code[6] & 0xf0) == 0x80));
	return jumps ? offset + 5 : offset;
#else
	(void)path;
	return offset;
#endif
}
