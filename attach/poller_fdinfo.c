/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is registered with an epoll descriptor, from /proc/PID/fdinfo: lines
 * "tfd:        5 events:       19 data:        5  pos:0 ino:7 sdev:8". Numbers
 * only; the file is written by the kernel, but nothing of it is trusted.
 */
#include "poller.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX (1u << 20)

/* The number behind `word`, in base 16 or 10. */
static int number_behind(const char *line, const char *word, int base, uint64_t *value)
{
	const char *at = strstr(line, word);
	char *end;

	if (!at)
		return -EINVAL;
	at += strlen(word);
	at += strspn(at, " \t");
	if (*at == '-')
		return -EINVAL;
	errno = 0;
	*value = strtoull(at, &end, base);
	return end == at || errno ? -EINVAL : 0;
}

int poller_parse_item(struct ps_poller_item *item, const char *line, size_t bytes)
{
	char copy[256];
	uint64_t fd, events, data, inode = 0;

	if (bytes >= sizeof(copy))
		bytes = sizeof(copy) - 1;
	memcpy(copy, line, bytes);
	copy[bytes] = '\0';
	if (strncmp(copy, "tfd:", 4) || number_behind(copy, "tfd:", 10, &fd) || fd > INT32_MAX ||
	    number_behind(copy, "events:", 16, &events) || events > UINT32_MAX ||
	    number_behind(copy, "data:", 16, &data))
		return -EINVAL;
	number_behind(copy, "ino:", 16, &inode); /* older kernels do not tell */
	*item = (struct ps_poller_item){ .fd = (int32_t)fd, .events = (uint32_t)events, .data = data, .inode = inode };
	return 0;
}

static int add_item(struct ps_poller_item **items, size_t *room, size_t count, const struct ps_poller_item *item)
{
	if (count == ITEMS_MAX)
		return -ENOSPC;
	if (count == *room) {
		size_t wider = *room ? *room * 2 : 256;
		struct ps_poller_item *moved = realloc(*items, wider * sizeof(*moved));

		if (!moved)
			return -ENOMEM;
		*items = moved;
		*room = wider;
	}
	(*items)[count] = *item;
	return 0;
}

ssize_t poller_fdinfo(pid_t pid, int epfd, struct ps_poller_item **items, size_t *room)
{
	char path[64], *line = NULL;
	size_t line_room = 0;
	ssize_t count = 0, length;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, epfd);
	FILE *file = fopen(path, "re");
	if (!file)
		return errno == ENOENT || errno == ESRCH ? -ESRCH : -errno;
	while (!err && (length = getline(&line, &line_room, file)) > 0) {
		struct ps_poller_item item;

		if (poller_parse_item(&item, line, (size_t)length))
			continue;
		err = add_item(items, room, (size_t)count, &item);
		count += !err;
	}
	free(line);
	fclose(file);
	return err && err != -ENOSPC ? err : count;
}
