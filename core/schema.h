/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The field table: for every event its fields by name, offset, size and unit.
 * The recording's schema block, JSON/CSV exports and the record checker are
 * made from it; a unit test proves that it tiles each struct.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "ps_event.h"

enum field_unit {
	UNIT_NUMBER, UNIT_NS,        /* a length of time */
	UNIT_TIME,                   /* a point in time, CLOCK_MONOTONIC; delta-coded in recordings */
	UNIT_BYTES, UNIT_ID_STRING, UNIT_ID_FRAME, UNIT_ID_STACK, UNIT_PID, UNIT_FD,
	UNIT_ADDRESS, UNIT_FLAGS, UNIT_ENUM, UNIT_PADDING,
	UNIT_STAMP                   /* a point in time that repeats in row: coded against the one before it */
};

/* what a recording takes a field for that is no point in time; what it keeps is the difference to that */
enum field_guess {
	GUESS_LAST,   /* its last value in the same thread */
	GUESS_REST,   /* what is left of the time since the UNIT_TIME before it, less the GUESS_REST fields between */
	GUESS_MILLIS, /* its last value, and the difference is mostly whole milliseconds */
	GUESSES
};

struct field {
	const char *name;
	uint16_t offset, size;
	uint16_t is_signed;
	uint16_t unit;               /* enum field_unit */
	/*
	 * UNIT_TIME: the event whose latest time in the same thread this field
	 * usually repeats (POLL_ENTER's busy_since_ns is the time of POLL_RETURN).
	 * Recordings code the difference, which is mostly 0. 0: none.
	 * Other units: enum field_guess.
	 */
	uint16_t link;
};

struct event_schema {
	const char *name;            /* NULL: no such event */
	uint16_t size;               /* fixed part, header included */
	uint16_t tail;               /* 1: bytes (STRING), 4: u32s (STACK), 0: none */
	const struct field *fields;
	uint16_t field_count;
};

const struct event_schema *schema_event(unsigned event); /* NULL = unknown */
/* 1 when the record is well formed: known event, size fits `bytes`, multiple of 8, tail within. 0 otherwise. */
int schema_check(const struct ps_record *record, size_t bytes);
/* Sign-extended when the field is signed. The record must have passed schema_check(). */
uint64_t schema_value(const struct ps_record *record, const struct field *field);
/* Bytes of text or frames that a STRING or STACK claims to hold; 0 for others. Not checked against its size. */
uint64_t schema_tail_bytes(const struct ps_record *record);

/* Never NULL: a value outside its vocabulary is "?". */
const char *phase_name(unsigned phase);
const char *backend_name(unsigned backend);
const char *work_kind_name(unsigned kind);
const char *kind_name(unsigned kind);
const char *frame_kind_name(unsigned kind);
const char *lost_source_name(unsigned source);
const char *probe_group_name(unsigned group);
const char *probe_state_name(unsigned state);
const char *syscall_name(int number);  /* x86-64 and arm64 by build; NULL = unknown */

#endif
