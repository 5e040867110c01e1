/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of what is registered with a poller. Sockets of the internet families
 * carry their addresses and most other kinds their inode, so nothing is asked
 * of /proc for them; the rest is named by the link of the descriptor.
 */
#include "poller.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "proc.h"

static uint32_t name_socket(const struct ps_poller_item *item, char *out, size_t room)
{
	int is_ipv6 = item->family == AF_INET6, is_udp = item->protocol == IPPROTO_UDP;
	struct proc_socket socket = {
		.inode = item->inode,
		.table = is_udp ? (is_ipv6 ? PROC_NET_UDP6 : PROC_NET_UDP) : (is_ipv6 ? PROC_NET_TCP6 : PROC_NET_TCP),
		.listening = !!(item->flags & PS_ITEM_LISTENS),
		.local_port = item->local_port,
		.peer_port = item->peer_port,
	};

	memcpy(socket.local, item->local, sizeof(socket.local));
	memcpy(socket.peer, item->peer, sizeof(socket.peer));
	return (uint32_t)proc_socket_name(&socket, out, room);
}

/* A descriptor that was closed while its file lives on, or given to another file, must not lend its name. */
static uint32_t name_by_link(pid_t pid, const struct ps_poller_item *item, uint32_t kind, char *out, size_t room)
{
	int linked = proc_fd_name(pid, item->fd, out, room);

	if (linked >= 0 && (!kind || kind == (uint32_t)linked || kind == PS_KIND_SOCKET))
		return (uint32_t)linked;
	*out = '\0';
	return kind;
}

uint32_t poller_name(const struct poller_reader *reader, pid_t pid, const struct ps_poller_item *item, char *out,
		     size_t room)
{
	static const char *const fixed[PS_KIND_COUNT] = {
		[PS_KIND_EVENTFD] = "[eventfd]", [PS_KIND_TIMERFD] = "[timerfd]", [PS_KIND_SIGNALFD] = "[signalfd]",
		[PS_KIND_EPOLL] = "[eventpoll]", [PS_KIND_INOTIFY] = "inotify",	  [PS_KIND_PROCESS] = "[pidfd]",
	};
	uint32_t kind = poller_kind(reader, item->f_op);

	if (kind == PS_KIND_SOCKET && (item->family == AF_INET || item->family == AF_INET6) &&
	    (item->protocol == IPPROTO_TCP || item->protocol == IPPROTO_UDP))
		return name_socket(item, out, room);
	if (kind == PS_KIND_PIPE)
		snprintf(out, room, "pipe:[%llu]", (unsigned long long)item->inode);
	else if (fixed[kind])
		snprintf(out, room, "%s", fixed[kind]);
	else
		return name_by_link(pid, item, kind, out, room);
	return kind;
}
