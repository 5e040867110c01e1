/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reading end of a BPF ring (BPF_MAP_TYPE_RINGBUF), mapped once. libbpf's maps
 * the data twice, so that no record ever wraps, and the system counts both as
 * memory of the tool; here a record that wraps is put together in a buffer.
 */
#ifndef BPF_RING_H
#define BPF_RING_H

#include <stddef.h>

struct bpf_ring;

/* A negative value ends the bpf_ring_consume() that is under way; the record is taken all the same. */
typedef int bpf_ring_fn(void *arg, void *data, size_t bytes);

/* `fn` gets data aligned to 8 that it may only read, good until it returns. -errno. */
int bpf_ring_open(struct bpf_ring **ring, int map_fd, bpf_ring_fn *fn, void *arg);
/* The same of any file that is laid out so, with so many bytes of data. */
int bpf_ring_open_file(struct bpf_ring **ring, int fd, size_t bytes, bpf_ring_fn *fn, void *arg);
int bpf_ring_consume(struct bpf_ring *ring); /* how many records, or the negative value of `fn` */
void bpf_ring_close(struct bpf_ring *ring); /* NULL is fine */

#endif
