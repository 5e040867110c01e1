/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executable mappings of a process, and the files behind them.
 *
 * A mapped file is opened through /proc/PID/map_files, which is the mapped
 * inode itself, also when it was replaced, deleted or lies in another mount
 * namespace. Without the right to that, its path below the target's root is
 * taken if it is still the same inode.
 */
#include "symbols_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPS_MAX 65536

/* One line of /proc/PID/maps; 1 when it is executable. */
static int parse_line(const char *line, struct map *map)
{
	unsigned long long start, end, offset, inode;
	char rights[5];
	int at = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %*s %llu %n", &start, &end, rights, &offset, &inode, &at) != 5 || !at)
		return 0;
	if (rights[2] != 'x' || end <= start)
		return 0;
	const char *name = line + at;
	*map = (struct map){ .start = start, .end = end, .offset = offset, .inode = inode };
	if (inode && *name == '/')
		map->kind = REGION_FILE;
	else if (!strcmp(name, "[vdso]"))
		map->kind = REGION_VDSO;
	else if (*name == '\0' || !strncmp(name, "[anon", 5) || *name == '/')
		map->kind = REGION_GENERATED;
	else
		map->kind = REGION_OTHER;
	if (map->kind == REGION_FILE)
		map->path = strdup(name);
	return 1;
}

static int add_map(struct maps *maps, size_t *room, const struct map *map)
{
	if (maps->count == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct map *grown = realloc(maps->maps, more * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		maps->maps = grown;
		*room = more;
	}
	maps->maps[maps->count++] = *map;
	return 0;
}

int maps_read(struct maps *maps, pid_t pid)
{
	struct maps fresh = { 0 };
	char path[32], *line = NULL;
	size_t room = 0, line_room = 0;
	ssize_t bytes;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!err && fresh.count < MAPS_MAX && (bytes = getline(&line, &line_room, file)) > 0) {
		struct map map;

		if (line[bytes - 1] == '\n')
			line[bytes - 1] = '\0';
		if (!parse_line(line, &map))
			continue;
		err = add_map(&fresh, &room, &map);
		if (err)
			free(map.path);
	}
	free(line);
	fclose(file);
	if (!err && !fresh.count)
		err = -ESRCH;
	if (err) {
		maps_clear(&fresh);
		return err;
	}
	maps_clear(maps);
	*maps = fresh;
	return 0;
}

void maps_clear(struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->maps[i].path);
	free(maps->maps);
	*maps = (struct maps){ 0 };
}

int maps_has(pid_t pid, const char *part)
{
	struct maps maps = { 0 };
	int has = 0;

	if (maps_read(&maps, pid))
		return 0;
	for (size_t i = 0; i < maps.count && !has; i++)
		has = maps.maps[i].path && strstr(maps.maps[i].path, part);
	maps_clear(&maps);
	return has;
}

const struct map *maps_find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address >= maps->maps[middle].end)
			low = middle + 1;
		else
			high = middle;
	}
	return low < maps->count && address >= maps->maps[low].start ? &maps->maps[low] : NULL;
}

static int open_regular(const char *path, uint64_t inode)
{
	struct stat status;
	/* O_NONBLOCK: a fifo in its place must not hold us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_ino != inode) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

int maps_open_file(const struct map *map, pid_t pid)
{
	char path[4200];

	if (map->kind != REGION_FILE || !map->path)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid, (unsigned long long)map->start,
		 (unsigned long long)map->end);
	int fd = open_regular(path, map->inode);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	fd = open_regular(path, map->inode);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, map->path);
	return open_regular(path, map->inode);
}
