/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps what a stream hands over, so that a test can look for records. */
#ifndef SINK_H
#define SINK_H

#include <string.h>

#include "source.h"

static uint8_t sunk[1u << 20];
static size_t sunk_bytes;

static inline int sink(const struct ps_record *record, void *arg)
{
	(void)arg;
	if (sunk_bytes + record->size > sizeof(sunk))
		return -1;
	memcpy(sunk + sunk_bytes, record, record->size);
	sunk_bytes += record->size;
	return 0;
}

/* The first record of that event after `record` (NULL = from the start), or NULL. */
static inline const void *next_sunk(const void *record, uint16_t event)
{
	const uint8_t *at = record ? (const uint8_t *)record + ((const struct ps_record *)record)->size : sunk;
	for (; at < sunk + sunk_bytes; at += ((const struct ps_record *)at)->size)
		if (((const struct ps_record *)at)->event == event)
			return at;
	return NULL;
}

/* The text of an interned string, "" when it was not defined. */
static inline const char *sunk_string(uint32_t id)
{
	static char text[4200];
	*text = 0;
	for (const struct ps_ev_string *string = NULL; (string = next_sunk(string, PS_EV_STRING));) {
		if (string->id != id)
			continue;
		memcpy(text, string + 1, string->len);
		text[string->len] = 0;
	}
	return text;
}

#endif
