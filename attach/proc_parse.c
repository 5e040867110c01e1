/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsers of /proc texts. Pure: a buffer in, numbers out. Names in these texts
 * are chosen by the watched processes, so a field is found by its place and
 * never by what a name seems to say; nothing reads past `bytes`.
 */
#include "proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PF_KTHREAD 0x00200000u
#define TCP_LISTEN 10
#define UNIX_ACCEPTS 0x10000u

/* a text and how far it has been read */
struct cursor {
	const char *at, *end;
};

static int digit_value(char c, unsigned base)
{
	unsigned value = 99;
	if (c >= '0' && c <= '9')
		value = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		value = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		value = (unsigned)(c - 'A') + 10;
	return value < base ? (int)value : -1;
}

static void skip_spaces(struct cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
		cursor->at++;
}

static int skip_word(struct cursor *cursor)
{
	skip_spaces(cursor);
	const char *start = cursor->at;
	while (cursor->at < cursor->end && *cursor->at != ' ' && *cursor->at != '\t' && *cursor->at != '\n')
		cursor->at++;
	return cursor->at > start ? 0 : -EINVAL;
}

/* Digits only, at least one, no overflow. */
static int take_digits(struct cursor *cursor, unsigned base, uint64_t *value)
{
	const char *start = cursor->at;
	uint64_t sum = 0;
	for (; cursor->at < cursor->end; cursor->at++) {
		int digit = digit_value(*cursor->at, base);
		if (digit < 0)
			break;
		if (sum > (UINT64_MAX - (unsigned)digit) / base)
			return -EINVAL;
		sum = sum * base + (unsigned)digit;
	}
	*value = sum;
	return cursor->at > start ? 0 : -EINVAL;
}

static int take_number(struct cursor *cursor, uint64_t *value)
{
	skip_spaces(cursor);
	return take_digits(cursor, 10, value);
}

static int take_hex(struct cursor *cursor, uint64_t *value)
{
	skip_spaces(cursor);
	if (cursor->end - cursor->at > 2 && cursor->at[0] == '0' && cursor->at[1] == 'x')
		cursor->at += 2;
	return take_digits(cursor, 16, value);
}

static int take_char(struct cursor *cursor, char c)
{
	if (cursor->at >= cursor->end || *cursor->at != c)
		return -EINVAL;
	cursor->at++;
	return 0;
}

static const char *last_char(const char *text, size_t bytes, char c)
{
	while (bytes)
		if (text[--bytes] == c)
			return text + bytes;
	return NULL;
}

/* "PID (COMM) S PPID …": COMM may hold anything, so it ends at the last parenthesis. */
int proc_parse_stat(struct proc_stat *stat, const char *text, size_t bytes)
{
	memset(stat, 0, sizeof(*stat));
	struct cursor cursor = { text, text + bytes };
	uint64_t pid, ppid, value = 0;
	if (take_number(&cursor, &pid) || pid > INT32_MAX || take_char(&cursor, ' ') || take_char(&cursor, '('))
		return -EINVAL;
	const char *name = cursor.at, *close = last_char(name, (size_t)(cursor.end - name), ')');
	if (!close)
		return -EINVAL;
	size_t length = (size_t)(close - name);
	if (length >= sizeof(stat->comm))
		length = sizeof(stat->comm) - 1;
	memcpy(stat->comm, name, length);
	cursor.at = close + 1;
	if (take_char(&cursor, ' ') || cursor.at >= cursor.end)
		return -EINVAL;
	stat->state = *cursor.at++;
	if (take_number(&cursor, &ppid) || ppid > INT32_MAX)
		return -EINVAL;
	stat->pid = (pid_t)pid;
	stat->ppid = (pid_t)ppid;
	/* fields as proc(5) numbers them: the next one is 5 */
	for (int field = 5; field <= 22; field++) {
		int wanted = field == 9 || field == 20 || field == 22;
		int err = wanted ? take_number(&cursor, &value) : skip_word(&cursor);
		if (err)
			return err;
		if (field == 9)
			stat->flags = value;
		else if (field == 20)
			stat->threads = value;
		else if (field == 22)
			stat->start_ticks = value;
	}
	for (int field = 23; field < 28; field++)
		if (skip_word(&cursor))
			return 0;
	if (take_number(&cursor, &stat->start_stack))
		stat->start_stack = 0;
	return 0;
}

int proc_is_kernel_thread(const struct proc_stat *stat)
{
	return (stat->flags & PF_KTHREAD) != 0;
}

/* "running", "-1 SP PC" or "NUMBER ARG0 … ARG5 SP PC". */
int proc_parse_syscall(struct proc_syscall *call, const char *text, size_t bytes)
{
	memset(call, 0, sizeof(*call));
	if (bytes >= 7 && !memcmp(text, "running", 7)) {
		call->number = PROC_SYSCALL_RUNNING;
		return 0;
	}
	if (bytes >= 2 && !memcmp(text, "-1", 2)) {
		call->number = PROC_SYSCALL_NONE;
		return 0;
	}
	struct cursor cursor = { text, text + bytes };
	uint64_t number;
	if (take_number(&cursor, &number) || number > INT32_MAX)
		return -EINVAL;
	call->number = (int)number;
	for (int i = 0; i < 6; i++)
		if (take_hex(&cursor, &call->args[i]))
			return -EINVAL;
	return 0;
}

int proc_parse_schedstat(struct proc_sched *sched, const char *text, size_t bytes)
{
	struct cursor cursor = { text, text + bytes };
	if (take_number(&cursor, &sched->on_cpu_ns) || take_number(&cursor, &sched->runnable_ns) ||
	    take_number(&cursor, &sched->slices))
		return -EINVAL;
	return 0;
}

static int take_tgid(struct proc_status *status, struct cursor *cursor)
{
	uint64_t value;
	if (take_number(cursor, &value) || value > INT32_MAX)
		return -EINVAL;
	status->tgid = (pid_t)value;
	return 0;
}

static int take_ns_pid(struct proc_status *status, struct cursor *cursor)
{
	uint64_t value;
	int found = 0;
	while (!take_number(cursor, &value) && value <= INT32_MAX) {
		status->ns_pid = (pid_t)value;
		found = 1;
	}
	return found ? 0 : -EINVAL;
}

static int take_uids(struct proc_status *status, struct cursor *cursor)
{
	for (int i = 0; i < 4; i++) {
		uint64_t value;
		if (take_number(cursor, &value) || value > UINT32_MAX)
			return -EINVAL;
		status->uid[i] = (uid_t)value;
	}
	return 0;
}

static int take_caps(struct proc_status *status, struct cursor *cursor)
{
	return take_hex(cursor, &status->caps);
}

static int take_no_new_privs(struct proc_status *status, struct cursor *cursor)
{
	return take_number(cursor, &status->no_new_privs);
}

static int take_seccomp(struct proc_status *status, struct cursor *cursor)
{
	return take_number(cursor, &status->seccomp);
}

static const struct status_field {
	const char *name;
	int (*take)(struct proc_status *status, struct cursor *cursor);
} status_fields[] = {
	{ "Tgid:", take_tgid },   { "NSpid:", take_ns_pid },
	{ "Uid:", take_uids },    { "CapEff:", take_caps },
	{ "NoNewPrivs:", take_no_new_privs }, { "Seccomp:", take_seccomp },
};

/* Newlines in "Name:" are escaped by the kernel, so a line of the text is a field. */
int proc_parse_status(struct proc_status *status, const char *text, size_t bytes)
{
	memset(status, 0, sizeof(*status));
	int uids = 0;
	const char *end = text + bytes;
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		if (!line_end)
			line_end = end;
		for (size_t i = 0; i < sizeof(status_fields) / sizeof(*status_fields); i++) {
			const struct status_field *field = &status_fields[i];
			size_t length = strlen(field->name);
			if ((size_t)(line_end - text) < length || memcmp(text, field->name, length))
				continue;
			struct cursor cursor = { text + length, line_end };
			if (field->take(status, &cursor))
				return -EINVAL;
			uids |= field->take == take_uids;
		}
		text = line_end < end ? line_end + 1 : end;
	}
	return uids ? 0 : -EINVAL;
}

/* An address as the kernel prints it: words of 8 hex digits in host order, ':' and the port. */
static int take_address(struct cursor *cursor, int words, uint8_t address[16], uint16_t *port)
{
	skip_spaces(cursor);
	for (int i = 0; i < words; i++) {
		struct cursor word = { cursor->at, cursor->at + 8 };
		uint64_t value;
		if (cursor->end - cursor->at < 8 || take_digits(&word, 16, &value) || word.at != word.end)
			return -EINVAL;
		uint32_t raw = (uint32_t)value;
		memcpy(address + i * 4, &raw, 4);
		cursor->at = word.at;
	}
	uint64_t value;
	if (take_char(cursor, ':') || take_digits(cursor, 16, &value) || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* "sl: LOCAL PEER STATE TX:RX TR:WHEN RETRANSMITS UID TIMEOUT INODE …" */
static int parse_inet(struct proc_socket *socket, int words, struct cursor cursor)
{
	uint64_t state;
	if (skip_word(&cursor) || take_address(&cursor, words, socket->local, &socket->local_port) ||
	    take_address(&cursor, words, socket->peer, &socket->peer_port) || take_hex(&cursor, &state))
		return -EINVAL;
	for (int i = 0; i < 5; i++)
		if (skip_word(&cursor))
			return -EINVAL;
	socket->listening = state == TCP_LISTEN;
	return take_number(&cursor, &socket->inode);
}

/* "ADDRESS: REFS PROTOCOL FLAGS TYPE STATE INODE [PATH]" */
static int parse_unix(struct proc_socket *socket, struct cursor cursor)
{
	uint64_t flags;
	if (skip_word(&cursor) || skip_word(&cursor) || skip_word(&cursor) || take_hex(&cursor, &flags) ||
	    skip_word(&cursor) || skip_word(&cursor) || take_number(&cursor, &socket->inode))
		return -EINVAL;
	socket->listening = (flags & UNIX_ACCEPTS) != 0;
	skip_spaces(&cursor);
	size_t length = (size_t)(cursor.end - cursor.at);
	if (length >= sizeof(socket->path))
		length = sizeof(socket->path) - 1;
	memcpy(socket->path, cursor.at, length);
	return 0;
}

int proc_parse_socket(struct proc_socket *socket, enum proc_net table, const char *line, size_t bytes)
{
	memset(socket, 0, sizeof(*socket));
	socket->table = (uint8_t)table;
	struct cursor cursor = { line, line + bytes };
	if (table == PROC_NET_UNIX)
		return parse_unix(socket, cursor);
	int is_ipv6 = table == PROC_NET_TCP6 || table == PROC_NET_UDP6;
	int err = parse_inet(socket, is_ipv6 ? 4 : 1, cursor);
	if (table == PROC_NET_UDP || table == PROC_NET_UDP6)
		socket->listening = 0;
	return err;
}

static void print_address(const uint8_t address[16], uint16_t port, int is_ipv6, char *out, size_t room)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN] = "?";
	int as_ipv4 = !is_ipv6 || !memcmp(address, mapped, sizeof(mapped));
	inet_ntop(as_ipv4 ? AF_INET : AF_INET6, is_ipv6 && as_ipv4 ? address + 12 : address, text, sizeof(text));
	snprintf(out, room, as_ipv4 ? "%s:%u" : "[%s]:%u", text, port);
}

int proc_socket_name(const struct proc_socket *socket, char *out, size_t room)
{
	if (socket->table == PROC_NET_UNIX) {
		if (*socket->path)
			snprintf(out, room, "%s", socket->path);
		else
			snprintf(out, room, "unix:[%llu]", (unsigned long long)socket->inode);
		return socket->listening ? PS_KIND_LISTEN : PS_KIND_UNIX;
	}
	int is_ipv6 = socket->table == PROC_NET_TCP6 || socket->table == PROC_NET_UDP6;
	int is_udp = socket->table == PROC_NET_UDP || socket->table == PROC_NET_UDP6;
	if (socket->listening || !socket->peer_port)
		print_address(socket->local, socket->local_port, is_ipv6, out, room);
	else
		print_address(socket->peer, socket->peer_port, is_ipv6, out, room);
	if (is_udp)
		return PS_KIND_UDP;
	return socket->listening ? PS_KIND_LISTEN : PS_KIND_TCP;
}

static const struct link_kind {
	const char *prefix;
	enum ps_kind kind;
} link_kinds[] = {
	{ "socket:[", PS_KIND_SOCKET },
	{ "pipe:[", PS_KIND_PIPE },
	{ "anon_inode:[eventfd", PS_KIND_EVENTFD },
	{ "anon_inode:[timerfd", PS_KIND_TIMERFD },
	{ "anon_inode:[signalfd", PS_KIND_SIGNALFD },
	{ "anon_inode:[eventpoll", PS_KIND_EPOLL },
	{ "anon_inode:inotify", PS_KIND_INOTIFY },
	{ "anon_inode:[pidfd", PS_KIND_PROCESS },
	{ "pidfd:", PS_KIND_PROCESS },
	{ "/dev/pts/", PS_KIND_TTY },
	{ "/dev/tty", PS_KIND_TTY },
	{ "/dev/console", PS_KIND_TTY },
	{ "/", PS_KIND_FILE },
};

int proc_link_kind(const char *link, uint64_t *inode)
{
	*inode = 0;
	for (size_t i = 0; i < sizeof(link_kinds) / sizeof(*link_kinds); i++) {
		size_t length = strlen(link_kinds[i].prefix);
		if (strncmp(link, link_kinds[i].prefix, length))
			continue;
		struct cursor cursor = { link + length, link + strlen(link) };
		if (link_kinds[i].kind == PS_KIND_SOCKET && take_digits(&cursor, 10, inode))
			*inode = 0;
		return (int)link_kinds[i].kind;
	}
	return PS_KIND_UNKNOWN;
}

/* *state: how many characters of "tfd:" the current line has matched; 4 = counted, 5 = another line. */
uint64_t proc_count_registered(const char *text, size_t bytes, unsigned *state)
{
	static const char word[] = "tfd:";
	uint64_t count = 0;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\n') {
			*state = 0;
			continue;
		}
		if (*state >= 4)
			continue;
		*state = text[i] == word[*state] ? *state + 1 : 5;
		count += *state == 4;
	}
	return count;
}
