/* SPDX-License-Identifier: BSD-2-Clause */
/* The window on a recording's bytes; it moves forward only. */
#include "psr_input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (1u << 18)

static int make_room(struct psr_input *input, size_t wanted)
{
	if (input->start) {
		memmove(input->buffer, input_here(input), input_bytes(input));
		input->end -= input->start;
		input->start = 0;
	}
	if (input->room - input->end >= READ_BYTES || input->room >= wanted + READ_BYTES)
		return 0;
	size_t room = input->room ? input->room * 2 : READ_BYTES;
	unsigned char *buffer = realloc(input->buffer, room);
	if (!buffer)
		return -ENOMEM;
	input->buffer = buffer;
	input->room = room;
	return 0;
}

int input_fill(struct psr_input *input, size_t wanted)
{
	while (input_bytes(input) < wanted && !input->at_end) {
		int err = make_room(input, wanted);
		if (err)
			return err;
		ssize_t got = read(input->fd, input->buffer + input->end, input->room - input->end);
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			struct pollfd ready = { .fd = input->fd, .events = POLLIN };
			poll(&ready, 1, -1);
			continue;
		}
		if (got < 0 && errno != EINTR)
			return -errno;
		input->at_end = !got;
		input->end += got > 0 ? (size_t)got : 0;
	}
	return input_bytes(input) >= wanted;
}

void input_free(struct psr_input *input)
{
	free(input->buffer);
}
