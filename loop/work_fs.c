/* SPDX-License-Identifier: BSD-2-Clause */
/* File operations of the pool: each is one blocking call in a worker. Paths are copied, buffers are the caller's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool.h"

static int64_t result_of(int64_t value)
{
	return value < 0 ? -errno : value;
}

static int64_t fs_open(struct ps_work *work)
{
	return result_of(open(work->params.text, work->params.flags | O_CLOEXEC, work->params.mode));
}

static int64_t fs_read(struct ps_work *work)
{
	const struct work_params *p = &work->params;

	return result_of(p->offset < 0 ? read(p->fd, p->out, p->out_bytes) :
					 pread(p->fd, p->out, p->out_bytes, p->offset));
}

static int64_t fs_write(struct ps_work *work)
{
	const struct work_params *p = &work->params;

	return result_of(p->offset < 0 ? write(p->fd, p->in, p->in_bytes) :
					 pwrite(p->fd, p->in, p->in_bytes, p->offset));
}

static int64_t fs_stat(struct ps_work *work)
{
	return result_of(stat(work->params.text, work->params.out));
}

static int64_t fs_close(struct ps_work *work)
{
	return result_of(close(work->params.fd));
}

static int64_t fs_sync(struct ps_work *work)
{
	return result_of(fsync(work->params.fd));
}

static int64_t fs_unlink(struct ps_work *work)
{
	return result_of(unlink(work->params.text));
}

static int64_t fs_rename(struct ps_work *work)
{
	return result_of(rename(work->params.text, work->params.text + work->params.in_bytes));
}

static int64_t read_names(DIR *directory, char **names)
{
	size_t bytes = 0, room = 0;
	int64_t count = 0;

	for (struct dirent *entry; (errno = 0, entry = readdir(directory));) {
		size_t need = strlen(entry->d_name) + 1;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (bytes + need > room) {
			char *grown = realloc(*names, room = (bytes + need) * 2);
			if (!grown)
				return -ENOMEM;
			*names = grown;
		}
		memcpy(*names + bytes, entry->d_name, need);
		bytes += need;
		count++;
	}
	return errno ? -errno : count;
}

static int64_t fs_readdir(struct ps_work *work)
{
	char *names = NULL;
	DIR *directory = opendir(work->params.text);

	if (!directory)
		return -errno;
	int64_t count = read_names(directory, &names);
	closedir(directory);
	if (count < 0) {
		free(names);
		return count;
	}
	*(char **)work->params.out = names;
	return count;
}

static int submit(struct ps_loop *loop, enum fs_op op, int64_t (*run)(struct ps_work *), const struct work_params *params,
		  const char *path, ps_done_fn *done, void *arg)
{
	if (!loop || !done)
		return -EINVAL;
	struct ps_work *work = work_open(loop, PS_WORK_FS, (uint16_t)op, run, done, arg);
	if (!work)
		return -ENOMEM;
	work->params = *params;
	if (path) {
		work->params.text = strdup(path);
		if (!work->params.text) {
			handle_free(&work->handle);
			return -ENOMEM;
		}
	}
	return work_submit(work);
}

int ps_fs_open(struct ps_loop *loop, const char *path, int flags, mode_t mode, ps_done_fn *done, void *arg)
{
	struct work_params params = { .flags = flags, .mode = mode };

	return path ? submit(loop, FS_OPEN, fs_open, &params, path, done, arg) : -EINVAL;
}

int ps_fs_read(struct ps_loop *loop, int fd, void *buffer, size_t bytes, int64_t offset, ps_done_fn *done, void *arg)
{
	struct work_params params = { .fd = fd, .out = buffer, .out_bytes = bytes, .offset = offset };

	if (fd < 0)
		return -EBADF;
	return (buffer || !bytes) && bytes <= SIZE_MOST ? submit(loop, FS_READ, fs_read, &params, NULL, done, arg) : -EINVAL;
}

int ps_fs_write(struct ps_loop *loop, int fd, const void *buffer, size_t bytes, int64_t offset, ps_done_fn *done, void *arg)
{
	struct work_params params = { .fd = fd, .in = buffer, .in_bytes = bytes, .offset = offset };

	if (fd < 0)
		return -EBADF;
	return (buffer || !bytes) && bytes <= SIZE_MOST ? submit(loop, FS_WRITE, fs_write, &params, NULL, done, arg) : -EINVAL;
}

int ps_fs_stat(struct ps_loop *loop, const char *path, struct stat *out, ps_done_fn *done, void *arg)
{
	struct work_params params = { .out = out };

	return path && out ? submit(loop, FS_STAT, fs_stat, &params, path, done, arg) : -EINVAL;
}

int ps_fs_close(struct ps_loop *loop, int fd, ps_done_fn *done, void *arg)
{
	struct work_params params = { .fd = fd };

	return fd >= 0 ? submit(loop, FS_CLOSE, fs_close, &params, NULL, done, arg) : -EBADF;
}

int ps_fs_sync(struct ps_loop *loop, int fd, ps_done_fn *done, void *arg)
{
	struct work_params params = { .fd = fd };

	return fd >= 0 ? submit(loop, FS_SYNC, fs_sync, &params, NULL, done, arg) : -EBADF;
}

int ps_fs_unlink(struct ps_loop *loop, const char *path, ps_done_fn *done, void *arg)
{
	struct work_params params = { 0 };

	return path ? submit(loop, FS_UNLINK, fs_unlink, &params, path, done, arg) : -EINVAL;
}

int ps_fs_readdir(struct ps_loop *loop, const char *path, char **names, ps_done_fn *done, void *arg)
{
	struct work_params params = { .out = names };

	if (!path || !names)
		return -EINVAL;
	*names = NULL;
	return submit(loop, FS_READDIR, fs_readdir, &params, path, done, arg);
}

/* Both paths lie in one copied text, "from\0to\0". */
int ps_fs_rename(struct ps_loop *loop, const char *from, const char *to, ps_done_fn *done, void *arg)
{
	if (!loop || !from || !to || !done)
		return -EINVAL;
	size_t from_bytes = strlen(from) + 1, to_bytes = strlen(to) + 1;
	struct ps_work *work = work_open(loop, PS_WORK_FS, FS_RENAME, fs_rename, done, arg);
	if (!work)
		return -ENOMEM;
	work->params.text = malloc(from_bytes + to_bytes);
	if (!work->params.text) {
		handle_free(&work->handle);
		return -ENOMEM;
	}
	memcpy(work->params.text, from, from_bytes);
	memcpy(work->params.text + from_bytes, to, to_bytes);
	work->params.in_bytes = from_bytes;
	return work_submit(work);
}
