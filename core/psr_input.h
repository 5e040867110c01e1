/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor read through a window: as many bytes as are asked for, in one
 * piece. Works on pipes; the buffer grows only as bytes really arrive, to about
 * twice the largest piece asked for.
 */
#ifndef PSR_INPUT_H
#define PSR_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct psr_input {            /* zeroed but for fd: a fresh input */
	int fd;               /* the caller's */
	int at_end;
	uint64_t position;    /* in the stream, of the first byte of the window */
	unsigned char *buffer;
	size_t start, end, room; /* the window is [start, end) */
};

/* Reads until `wanted` bytes are in the window. 1: they are; 0: the input ends before; -errno. */
int input_fill(struct psr_input *input, size_t wanted);
void input_free(struct psr_input *input);

static inline size_t input_bytes(const struct psr_input *input)
{
	return input->end - input->start;
}

/* Good until the next input_fill(). */
static inline const unsigned char *input_here(const struct psr_input *input)
{
	return input->buffer + input->start;
}

static inline void input_use(struct psr_input *input, size_t bytes)
{
	input->start += bytes;
	input->position += bytes;
}

#endif
