/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flight-recorder reader on any memory: the input is a plan (which header,
 * where the head stands at each reading) and the bytes of the slots. Whatever
 * they are, only well-formed records of the ring's own thread may come out, in
 * time order, none from the future, and the sums must hold.
 */
#include <assert.h>

#include "fake_ring.h"
#include "ring_reader.h"
#include "schema.h"

#define SLOTS 256u
#define READINGS 4
#define NOW_NS (1ull << 50)

struct plan {
	uint8_t raw_header;      /* odd: the header is the input's */
	uint8_t slot_bits, is_new, zero[5];
	uint64_t heads[READINGS];
	struct ps_ring_header header;
};

struct seen {
	const struct ring *ring;
	uint64_t last_ns;
};

static int check_record(struct ps_record *record, void *arg)
{
	struct seen *seen = arg;
	const struct event_schema *schema = schema_event(record->event);
	assert(schema && schema_check(record, PS_RING_SLOT));
	assert(record->tid == seen->ring->tid);
	assert(record->ts <= NOW_NS && record->ts >= seen->last_ns);
	assert(record->event != PS_EV_STRING && record->event != PS_EV_LOST && record->event != PS_EV_PROCESS);
	seen->last_ns = record->ts;
	for (unsigned i = 0; i < schema->field_count; i++)
		if (schema->fields[i].unit == UNIT_ID_STRING)
			assert(!schema_value(record, &schema->fields[i]));
	return 0;
}

static void read_ring(struct fake_ring *fake, const struct plan *plan)
{
	static uint8_t batch[RING_BATCH * PS_RING_SLOT];
	static const uid_t uids[4];
	struct ring ring;
	struct ps_ring_gauges gauges;
	const char *why;
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fake->fd);
	if (ring_open(&ring, open(path, O_RDONLY | O_CLOEXEC), uids, plan->is_new & 1, &why))
		return;
	struct seen seen = { &ring, 0 };
	for (int i = 0; i < READINGS; i++) {
		fake->header->head = plan->heads[i];
		assert(!ring_read(&ring, batch, NOW_NS, check_record, &seen));
		assert(ring.jumps || ring.next < ring.since || ring.records + ring.lost == ring.next - ring.since);
		ring_gauges(&ring, &gauges);
	}
	ring_close(&ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct fake_ring fake;
	static struct ps_ring_header sound;
	struct plan plan;
	if (!fake.bytes) {
		fake = fake_ring_make(SLOTS);
		sound = *fake.header;
		sound.created_ns = 0;
		sound.tid = 7; /* the same in every run, so that what is in the corpus stays of use */
	}
	if (bytes < sizeof(plan))
		return 0;
	memcpy(&plan, data, sizeof(plan));
	memset(fake.header, 0, fake.bytes);
	*fake.header = plan.raw_header & 1 ? plan.header : sound;
	if (!(plan.raw_header & 1)) {
		fake.header->slot_count = 1u << plan.slot_bits % 9;
		fake.header->clock = plan.header.clock & 1;
		fake.header->mult = plan.header.mult;
		fake.header->shift = plan.header.shift & 63;
		fake.header->anchor_ns = plan.header.anchor_ns;
		fake.header->anchor_tsc = plan.header.anchor_tsc;
	}
	bytes -= sizeof(plan);
	memcpy((uint8_t *)fake.header + FAKE_PAGE, data + sizeof(plan), bytes < fake.bytes - FAKE_PAGE ? bytes : fake.bytes - FAKE_PAGE);
	read_ring(&fake, &plan);
	return 0;
}
