/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reading side of ps_ring.h. The ring is never mapped: each batch is
 * pread() into memory of ours, then the head is read again, and slots that the
 * writer may have touched meanwhile are dropped and counted. The cursor is
 * private, nothing is written, no lock is shared.
 */
#include "ring_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema.h"

#define PAGE_BYTES 4096u
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define GAUGE_TRIES 4
/* more than a writer at 25 ns a record could write in 80 days: such a distance is no loss but a lie */
#define DISTANCE_MAX (1ull << 48)

static int is_within(uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
	return offset >= PAGE_BYTES && offset % PAGE_BYTES == 0 && offset <= file_bytes &&
	       bytes <= file_bytes - offset;
}

const char *ring_header_check(const struct ps_ring_header *header, uint64_t bytes)
{
	uint64_t slots_bytes = (uint64_t)header->slot_count * PS_RING_SLOT;
	if (header->magic != PS_RING_MAGIC)
		return "it does not begin as a flight recorder";
	if (header->version != PS_RING_VERSION)
		return "its layout is of another version";
	if (header->slot_size != PS_RING_SLOT)
		return "its slots have another size";
	if (!header->slot_count || header->slot_count & (header->slot_count - 1) ||
	    header->slot_count > PS_RING_MAX_SLOTS)
		return "its number of slots cannot be";
	if (!is_within(header->slots_offset, slots_bytes, bytes))
		return "its slots lie outside of it";
	if (!is_within(header->gauges_offset, sizeof(struct ps_ring_gauges), bytes))
		return "its gauges lie outside of it";
	if (header->gauges_offset < header->slots_offset + slots_bytes &&
	    header->slots_offset < header->gauges_offset + sizeof(struct ps_ring_gauges))
		return "its gauges lie in its slots";
	if (header->clock > PS_RING_CLOCK_TSC)
		return "its clock is not known";
	if (header->clock == PS_RING_CLOCK_TSC && (!header->mult || header->shift > 63))
		return "its clock does not tick";
	if (header->role >= PS_ROLE_COUNT || header->backend >= PS_BACKEND_COUNT || header->poller_fd < -1)
		return "it is of an unknown kind of thread";
	return NULL;
}

static int read_exactly(int fd, void *out, size_t bytes, uint64_t offset)
{
	ssize_t got;
	do {
		got = pread(fd, out, bytes, (off_t)offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return (size_t)got == bytes ? 0 : -EPROTO;
}

static int read_head(const struct ring *ring, uint64_t *head)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* not before what was read so far */
	int err = read_exactly(ring->fd, head, sizeof(*head), offsetof(struct ps_ring_header, head));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return err;
}

/* The oldest index that may be believed when the head is at `head`. */
static uint64_t first_good(const struct ring *ring, uint64_t head)
{
	uint64_t count = ring->header.slot_count;
	return head >= count ? head - count + 1 : 0;
}

static int is_owner(uid_t uid, const uid_t uids[4])
{
	/* a server that gave up root keeps the memory that it made as root */
	return uid == 0 || uid == uids[0] || uid == uids[1] || uid == uids[2] || uid == uids[3];
}

static const char *check_file(int fd, const uid_t uids[4], uint64_t *bytes)
{
	struct stat stat;
	if (fstat(fd, &stat) || !S_ISREG(stat.st_mode))
		return "it is no memory";
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS)
		return "it is not sealed";
	if (!is_owner(stat.st_uid, uids))
		return "it belongs to another user";
	*bytes = (uint64_t)stat.st_size;
	return NULL;
}

int ring_open(struct ring *ring, int fd, const uid_t uids[4], int is_new, const char **why)
{
	uint64_t bytes = 0;
	*ring = (struct ring){ .fd = fd };
	*why = check_file(fd, uids, &bytes);
	int err = *why ? -EPROTO : read_exactly(fd, &ring->header, sizeof(ring->header), 0);
	if (!err && !ring->header.magic)
		err = -EAGAIN;
	if (!err)
		*why = ring_header_check(&ring->header, bytes);
	if (*why)
		err = -EPROTO;
	if (err) {
		if (err == -EPROTO && !*why)
			*why = "it is too short";
		ring_close(ring);
		return err;
	}
	ring->pid = ring->header.pid;
	ring->tid = ring->header.tid;
	ring->header.name[sizeof(ring->header.name) - 1] = 0;
	if (!is_new) {
		ring->since = ring->header.head;
		ring->next = first_good(ring, ring->since);
	}
	return 0;
}

void ring_skip_history(struct ring *ring)
{
	if (ring->next < ring->since)
		ring->next = ring->since;
}

void ring_close(struct ring *ring)
{
	if (ring->fd >= 0)
		close(ring->fd);
	ring->fd = -1;
}

/* ---- one slot ---- */

/* What a thread may tell of itself. Definitions, loss and processes are ours to tell. */
static int may_tell(unsigned event)
{
	if (event == PS_EV_LOOP_GAUGES || event == PS_EV_POOL_GAUGES)
		return 0; /* they stand on their own page */
	if (event > PS_EV_LOOP_GAUGES && event < PS_EV_WORK_SUBMITTED)
		return 0; /* what is seen of a process from outside */
	return (event >= PS_EV_POLL_ENTER && event <= PS_EV_WORK_CANCELLED) || event == PS_EV_GC ||
	       event == PS_EV_BLOCKED || event == PS_EV_UNBLOCKED || event == PS_EV_SHED;
}

static uint64_t tsc_to_ns(const struct ps_ring_header *header, uint64_t tsc)
{
	int is_before = tsc < header->anchor_tsc;
	uint64_t ticks = is_before ? header->anchor_tsc - tsc : tsc - header->anchor_tsc;
	unsigned __int128 wide = (unsigned __int128)ticks * header->mult >> header->shift;
	uint64_t ns = wide > UINT64_MAX ? UINT64_MAX : (uint64_t)wide;
	if (is_before)
		return ns < header->anchor_ns ? header->anchor_ns - ns : 0;
	return ns < UINT64_MAX - header->anchor_ns ? header->anchor_ns + ns : UINT64_MAX;
}

/* Never in the future, never before the ring was made, never backwards within the thread. */
static uint64_t believable_time(struct ring *ring, uint64_t ts, uint64_t now_ns)
{
	if (ring->header.clock == PS_RING_CLOCK_TSC)
		ts = tsc_to_ns(&ring->header, ts);
	if (ts < ring->floor_ns)
		ts = ring->floor_ns;
	if (ts > now_ns)
		ts = now_ns;
	if (ts < ring->last_ns)
		ts = ring->last_ns;
	ring->last_ns = ts;
	return ts;
}

/* A target's ids mean nothing in our stream, and it may only speak of its own process. */
static void take_ids_away(struct ps_record *record, uint32_t pid)
{
	const struct event_schema *schema = schema_event(record->event);
	for (unsigned i = 0; i < schema->field_count; i++) {
		const struct field *field = &schema->fields[i];
		uint32_t value;
		if (field->unit == UNIT_PID)
			value = pid;
		else if (field->unit == UNIT_ID_STRING || field->unit == UNIT_ID_FRAME || field->unit == UNIT_ID_STACK)
			value = 0;
		else
			continue;
		if (field->size == sizeof(value))
			memcpy((char *)record + field->offset, &value, sizeof(value));
	}
}

static int is_believable(const struct ring *ring, const struct ps_record *record)
{
	return may_tell(record->event) && record->tid == ring->header.tid && schema_check(record, PS_RING_SLOT);
}

/* `index` is that of the slot; count it as what it turns out to be. */
static int hand_slot(struct ring *ring, void *slot, uint64_t now_ns, ring_record_fn *fn, void *arg)
{
	struct ps_record *record = slot;
	int is_history = ring->next < ring->since;
	ring->next++;
	if (!is_believable(ring, record)) {
		ring->malformed++;
		ring->lost += !is_history;
		return 0;
	}
	ring->records += !is_history;
	ring->history += is_history;
	record->ts = believable_time(ring, record->ts, now_ns);
	record->tid = ring->tid;
	take_ids_away(record, ring->pid);
	return fn(record, arg);
}

/* ---- many slots ---- */

static int copy_slots(const struct ring *ring, void *batch, uint64_t from, uint64_t count)
{
	uint64_t slots = ring->header.slot_count, at = from & (slots - 1);
	uint64_t until_end = slots - at < count ? slots - at : count;
	int err = read_exactly(ring->fd, batch, until_end * PS_RING_SLOT,
			       ring->header.slots_offset + at * PS_RING_SLOT);
	if (err || until_end == count)
		return err;
	return read_exactly(ring->fd, (char *)batch + until_end * PS_RING_SLOT, (count - until_end) * PS_RING_SLOT,
			    ring->header.slots_offset);
}

/* What lies before index `good` is gone; only what is not history is lost. */
static void skip_to(struct ring *ring, uint64_t good)
{
	uint64_t from = ring->next > ring->since ? ring->next : ring->since;
	if (good > from)
		ring->lost += good - from;
	if (good > ring->next)
		ring->next = good;
}

/* No writer puts its head there: the next call goes on from it, this one ends, or it would be led in circles. */
static int refuse_jump(struct ring *ring, uint64_t head, uint64_t least)
{
	if (head >= least && head - ring->next < DISTANCE_MAX)
		return 0;
	ring->jumps++;
	ring->since = ring->next = head;
	return -ESPIPE;
}

static int read_batch(struct ring *ring, void *batch, uint64_t head, uint64_t now_ns, ring_record_fn *fn, void *arg)
{
	uint64_t from = ring->next, count = head - from, after;
	if (count > RING_BATCH)
		count = RING_BATCH;
	int err = copy_slots(ring, batch, from, count);
	if (!err)
		err = read_head(ring, &after);
	if (!err)
		err = refuse_jump(ring, after, head);
	if (err)
		return err;
	skip_to(ring, first_good(ring, after));
	while (!err && ring->next < from + count)
		err = hand_slot(ring, (char *)batch + (ring->next - from) * PS_RING_SLOT, now_ns, fn, arg);
	return err;
}

int ring_read(struct ring *ring, void *batch, uint64_t now_ns, ring_record_fn *fn, void *arg)
{
	uint64_t head;
	int err = read_head(ring, &head);
	if (!err)
		err = refuse_jump(ring, head, ring->next);
	if (!err)
		skip_to(ring, first_good(ring, head));
	while (!err && ring->next < head)
		err = read_batch(ring, batch, head, now_ns, fn, arg);
	return err == -ESPIPE ? 0 : err;
}

int ring_gauges(const struct ring *ring, struct ps_ring_gauges *gauges)
{
	for (int i = 0; i < GAUGE_TRIES; i++) {
		uint64_t after;
		int err = read_exactly(ring->fd, gauges, sizeof(*gauges), ring->header.gauges_offset);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!err)
			err = read_exactly(ring->fd, &after, sizeof(after), ring->header.gauges_offset);
		if (err)
			return err;
		if (gauges->sequence == after && !(after & 1))
			return 0;
	}
	return -EAGAIN;
}
