/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the descriptors of a process stand for.
 *
 * Sockets are named by inode from the tables of the target's network
 * namespace. Reading them costs time in proportion to all sockets of the
 * machine, so the last namespace's tables are kept (the one cache of this
 * room, used by one thread) and read again for an inode that is not in them,
 * but not before 50 times the cost of the last reading has passed: at most 2 %
 * of a core. An inode that must wait is "socket:[N]" until then.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MAX (1u << 18)
#define LEAST_AGE_NS 20000000u
#define COST_FACTOR 50

static const char *const net_tables[PROC_NET_COUNT] = {
	[PROC_NET_TCP] = "net/tcp",   [PROC_NET_TCP6] = "net/tcp6", [PROC_NET_UDP] = "net/udp",
	[PROC_NET_UDP6] = "net/udp6", [PROC_NET_UNIX] = "net/unix",
};

static struct sockets {
	char space[64];          /* the namespace: "net:[4026531840]" */
	uint64_t read_ns;        /* when the tables were read */
	uint64_t cost_ns;
	struct proc_socket *entries; /* by inode */
	size_t count, room;
} sockets;

static int add_socket(const struct proc_socket *socket)
{
	if (!socket->inode)
		return 0; /* in TIME_WAIT: no descriptor has it */
	if (sockets.count == SOCKETS_MAX)
		return -ENOSPC;
	if (sockets.count == sockets.room) {
		size_t room = sockets.room ? sockets.room * 2 : 256;
		struct proc_socket *entries = realloc(sockets.entries, room * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		sockets.entries = entries;
		sockets.room = room;
	}
	sockets.entries[sockets.count++] = *socket;
	return 0;
}

static void read_table(pid_t pid, enum proc_net table)
{
	char path[64], *line = NULL;
	size_t room = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, net_tables[table]);
	FILE *file = fopen(path, "re");
	if (!file)
		return;
	ssize_t length = getline(&line, &room, file); /* the heading */
	int err = 0;
	while (length >= 0 && !err && (length = getline(&line, &room, file)) > 0) {
		struct proc_socket socket;
		if (line[length - 1] == '\n')
			length--;
		if (!proc_parse_socket(&socket, table, line, (size_t)length))
			err = add_socket(&socket);
	}
	free(line);
	fclose(file);
}

static int by_inode(const void *a, const void *b)
{
	const struct proc_socket *left = a, *right = b;
	return (left->inode > right->inode) - (left->inode < right->inode);
}

static void read_tables(pid_t pid, const char *space)
{
	uint64_t start = stream_now();
	snprintf(sockets.space, sizeof(sockets.space), "%s", space);
	sockets.count = 0;
	for (int table = 0; table < PROC_NET_COUNT; table++)
		read_table(pid, (enum proc_net)table);
	if (sockets.count)
		qsort(sockets.entries, sockets.count, sizeof(*sockets.entries), by_inode);
	sockets.read_ns = stream_now();
	sockets.cost_ns = sockets.read_ns - start;
}

static const struct proc_socket *find_inode(uint64_t inode)
{
	const struct proc_socket key = { .inode = inode };
	if (!sockets.count)
		return NULL;
	return bsearch(&key, sockets.entries, sockets.count, sizeof(key), by_inode);
}

static int may_read_again(void)
{
	uint64_t age = stream_now() - sockets.read_ns;
	return age >= LEAST_AGE_NS && age / COST_FACTOR >= sockets.cost_ns;
}

static const struct proc_socket *find_socket(pid_t pid, uint64_t inode)
{
	char space[64];
	if (proc_link(pid, "ns/net", space, sizeof(space)) < 0)
		snprintf(space, sizeof(space), "pid:%d", pid);
	int is_same = !strcmp(space, sockets.space);
	const struct proc_socket *found = is_same ? find_inode(inode) : NULL;
	if (found || !may_read_again())
		return found;
	read_tables(pid, space);
	return find_inode(inode);
}

int proc_fd_name(pid_t pid, int fd, char *out, size_t room)
{
	char name[32], link[4096];
	uint64_t inode;
	*out = 0;
	snprintf(name, sizeof(name), "fd/%d", fd);
	ssize_t length = proc_link(pid, name, link, sizeof(link));
	if (length < 0)
		return length == -ESRCH ? -EBADF : (int)length;
	int kind = proc_link_kind(link, &inode);
	const struct proc_socket *socket = inode ? find_socket(pid, inode) : NULL;
	if (socket)
		return proc_socket_name(socket, out, room);
	static const char anonymous[] = "anon_inode:";
	size_t skip = strncmp(link, anonymous, sizeof(anonymous) - 1) ? 0 : sizeof(anonymous) - 1;
	snprintf(out, room, "%s", link + skip);
	return kind;
}
