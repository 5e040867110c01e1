/* SPDX-License-Identifier: BSD-2-Clause */
/* How the records of one file are coded, made from its schema block: for psr_plan.c and psr_codec.c only. */
#ifndef PSR_PLAN_H
#define PSR_PLAN_H

#include "psr_codec.h"

#define PLAN_IMAGE 128 /* bytes; no fixed part of ours is longer */

struct plan_field {
	uint16_t offset;  /* in our struct */
	uint16_t own;     /* row of our schema */
	uint8_t size;     /* in our struct; 0: we do not have this field */
	uint8_t is_time;
	uint8_t link;     /* of a time: event number in the file; 0 = none */
	uint8_t guess;    /* enum field_guess of what is no time */
};

struct plan_event {
	uint16_t named;   /* the file has this event */
	uint16_t known;   /* so have we */
	uint16_t number;  /* in the file */
	uint16_t size;    /* of our fixed part; the header's for an unknown event */
	uint16_t tail;    /* bytes per item; the item count is the second field */
	uint16_t count;   /* coded fields */
	uint32_t first;   /* index into fields and into a thread's values */
	unsigned char image[PLAN_IMAGE] __attribute__((aligned(8))); /* header and what the file does not tell */
};

struct psr_plan {
	uint32_t field_count;
	struct plan_field *fields;
	struct plan_event events[PSR_EVENTS];
};

#endif
