/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs in a process, guessed cheaply: by the name of its executable, by a
 * name that it exports (it may have been renamed), by the libraries it has
 * mapped, the note of its linker, and whether its symbol table is there. Only
 * names and headers are read, nothing is searched; what is not known stays "".
 */
#include "proc.h"
#include "ps_ring.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAPS_BYTES (256u << 10)
#define SECTIONS_MAX 64

static const struct runtime_name {
	const char *prefix;   /* of the executable's name */
	const char *runtime;
	int versioned;        /* digits and dots behind the prefix are the version */
} runtime_names[] = {
	{ "nodejs", "node", 0 },
	{ "node", "node", 0 },
	{ "redis-server", "redis", 0 },
	{ "redis-sentinel", "redis", 0 },
	{ "valkey-server", "valkey", 0 },
	{ "nginx", "nginx", 0 },
	{ "memcached", "memcached", 0 },
	{ "haproxy", "haproxy", 0 },
	{ "unbound", "unbound", 0 }, /* maps python for its modules */
	{ "python", "python", 1 },
	{ "pypy", "python", 0 },
	{ "bun", "bun", 0 },
	{ "deno", "deno", 0 },
	{ "pollscope", "pollscope", 0 },
};

/* strongest first: a program that maps libnode.so maps libuv.so as well */
static const struct runtime_map {
	const char *part;     /* of a mapped file's path */
	const char *runtime;
} runtime_maps[] = {
	{ "/libnode.so", "node" },
	{ "/memfd:" PS_RING_NAME, "pollscope" },
	{ "/libuv.so", "libuv" },
	{ "/libpython3", "python" },
	{ "/libevent", "libevent" },
	{ "/libev.so", "libev" },
	{ "/libglib-2.0.so", "glib" },
};

/* Names, for modules and addons, that no other program exports, nor a server's own tools. */
static const struct runtime_export {
	const char *name;
	const char *runtime;
} runtime_exports[] = {
	{ "_ZN4node11per_process8metadataE", "node" },
	{ "genRedisInfoString", "redis" },
	{ "genValkeyInfoString", "valkey" },
	{ "ngx_cycle", "nginx" },
};
#define EXPORTS (sizeof(runtime_exports) / sizeof(*runtime_exports))

/* A path, or the name of a command. */
static const struct runtime_name *find_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	for (size_t i = 0; i < sizeof(runtime_names) / sizeof(*runtime_names); i++) {
		size_t length = strlen(runtime_names[i].prefix);
		if (strncmp(name, runtime_names[i].prefix, length))
			continue;
		const char *rest = name + length;
		rest += strspn(rest, "0123456789.");
		if (!*rest || *rest == ' ' || *rest == ':')
			return &runtime_names[i];
	}
	return NULL;
}

const char *proc_runtime_named(const char *name)
{
	const struct runtime_name *found = find_name(name);
	return found ? found->runtime : NULL;
}

static const char *find_exported(pid_t pid)
{
	char path[64];
	const char *names[EXPORTS + 1] = { NULL };
	for (size_t i = 0; i < EXPORTS; i++)
		names[i] = runtime_exports[i].name;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int found = fd < 0 ? -1 : proc_exports(fd, names);
	if (fd >= 0)
		close(fd);
	return found < 0 ? NULL : runtime_exports[found].runtime;
}

static const char *find_mapped(pid_t pid)
{
	char *maps = malloc(MAPS_BYTES);
	const char *runtime = NULL;
	if (maps && proc_read(pid, 0, "maps", maps, MAPS_BYTES) > 0)
		for (size_t i = 0; i < sizeof(runtime_maps) / sizeof(*runtime_maps) && !runtime; i++)
			if (strstr(maps, runtime_maps[i].part))
				runtime = runtime_maps[i].runtime;
	free(maps);
	return runtime;
}

/* 1: no .symtab, 0: it has one, -1: not known. The file is the target's: nothing in it is believed. */
static int is_stripped(pid_t pid)
{
	char path[64];
	Elf64_Ehdr header;
	Elf64_Shdr sections[SECTIONS_MAX];
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -1;
	int stripped = -1;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
	    header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_shentsize == sizeof(*sections)) {
		size_t wanted = header.e_shnum < SECTIONS_MAX ? header.e_shnum : SECTIONS_MAX;
		ssize_t bytes = pread(fd, sections, wanted * sizeof(*sections), (off_t)(header.e_shoff & INT64_MAX));
		stripped = bytes < 0 ? -1 : 1;
		for (ssize_t i = 0; i < bytes / (ssize_t)sizeof(*sections); i++)
			if (sections[i].sh_type == SHT_SYMTAB)
				stripped = 0;
	}
	close(fd);
	return stripped;
}

/* 1: the linker of Go has left its build id, which is there in stripped programs too. Nothing in the file is believed. */
static int is_go(pid_t pid)
{
	char path[64], note[16];
	Elf64_Ehdr header;
	Elf64_Phdr parts[SECTIONS_MAX];
	int found = 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
	    header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_phentsize == sizeof(*parts)) {
		size_t wanted = header.e_phnum < SECTIONS_MAX ? header.e_phnum : SECTIONS_MAX;
		ssize_t bytes = pread(fd, parts, wanted * sizeof(*parts), (off_t)(header.e_phoff & INT64_MAX));
		for (ssize_t i = 0; i < bytes / (ssize_t)sizeof(*parts) && !found; i++)
			found = parts[i].p_type == PT_NOTE &&
				pread(fd, note, sizeof(note), (off_t)(parts[i].p_offset & INT64_MAX)) == sizeof(note) &&
				!memcmp(note + 12, "Go\0", 4); /* sizes and type before it */
	}
	close(fd);
	return found;
}

/*
 * Opens a regular file of the target's root for reading. The names below that
 * root are the target's: no link is followed out of it, and what is no file
 * (a device, a fifo) is not opened at all.
 */
int proc_open_inside(pid_t pid, const char *name)
{
	char path[64];
	struct stat stat;
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT };
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	int place = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	int fd = -EACCES;
	if (place >= 0 && !fstat(place, &stat) && S_ISREG(stat.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (place >= 0)
		close(place);
	close(root);
	return fd;
}

/* "#define NODE_MINOR_VERSION 20" */
static int define_value(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	return at ? atoi(at + strlen(name)) : -1;
}

/* Node's own installation carries its headers beside the program. */
static void node_version(pid_t pid, const char *exe, char *out, size_t room)
{
	char path[4400], text[8192];
	const char *bin = strstr(exe, "/bin/node");
	if (!bin || exe[0] != '/')
		return;
	snprintf(path, sizeof(path), "%.*s/include/node/node_version.h", (int)(bin - exe), exe);
	int fd = proc_open_inside(pid, path);
	if (fd < 0)
		return;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return;
	text[length] = 0;
	int major = define_value(text, "#define NODE_MAJOR_VERSION");
	int minor = define_value(text, "#define NODE_MINOR_VERSION");
	int patch = define_value(text, "#define NODE_PATCH_VERSION");
	if (major >= 0 && minor >= 0 && patch >= 0)
		snprintf(out, room, "%d.%d.%d", major, minor, patch);
}

/* "/usr/bin/python3.11" */
static void name_version(const char *exe, const char *prefix, char *out, size_t room)
{
	const char *slash = strrchr(exe, '/');
	const char *at = strstr(slash ? slash : exe, prefix);
	if (!at)
		return;
	at += strlen(prefix);
	snprintf(out, room, "%.*s", (int)strspn(at, "0123456789."), at);
}

void proc_runtime(pid_t pid, const char *comm, const char *exe, struct proc_runtime *runtime)
{
	memset(runtime, 0, sizeof(*runtime));
	runtime->stripped = is_stripped(pid);
	const struct runtime_name *named = find_name(exe);
	if (!named) /* Debian's redis-server is a link to redis-check-rdb */
		named = find_name(comm);
	const char *name = named ? named->runtime : find_exported(pid);
	if (!name)
		name = find_mapped(pid);
	if (!name && is_go(pid))
		name = "go";
	snprintf(runtime->name, sizeof(runtime->name), "%s", name ? name : "generic");
	if (named && named->versioned)
		name_version(exe, named->prefix, runtime->version, sizeof(runtime->version));
	if (!strcmp(runtime->name, "node"))
		node_version(pid, exe, runtime->version, sizeof(runtime->version));
	if (!strcmp(runtime->name, "node") && !*runtime->version)
		proc_node_version(pid, runtime->version, sizeof(runtime->version));
}
