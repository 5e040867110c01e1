/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a chunk: records as varints of differences, by a plan that is
 * made from a schema block. Writer and reader both get their plan by parsing
 * such a block (the writer its own), so there is one way to say what a field
 * is. docs/format.md has the bytes.
 */
#ifndef PSR_CODEC_H
#define PSR_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "ps_event.h"

#define PSR_EVENTS 128          /* event numbers in a file are below this */
#define PSR_FIELDS 64           /* per event, padding left out */
#define PSR_PAD 2048            /* zero bytes that must follow the bytes given to psr_decode() */
#define PSR_RECORD_MAX 65528    /* greatest size of a record */

struct psr_plan;
struct psr_codec;

/* Appends our schema to out (NULL: only counts). Returns its length. */
size_t psr_schema_print(unsigned char *out);
/* 0, -ENOMEM, -EILSEQ: not a schema, or -EPROTONOSUPPORT: one whose fields are coded in a way not known here. */
int psr_plan_open(struct psr_plan **plan, const unsigned char *schema, size_t bytes);
void psr_plan_close(struct psr_plan *plan);

int psr_codec_open(struct psr_codec **codec, const struct psr_plan *plan);
void psr_codec_close(struct psr_codec *codec);
void psr_codec_reset(struct psr_codec *codec); /* at the start of every chunk */

/* Most bytes that the record may take. */
size_t psr_encode_bound(const struct ps_record *record);
/* The record has passed schema_check(). Returns the bytes written. */
size_t psr_encode(struct psr_codec *codec, const struct ps_record *record, unsigned char *out);
/*
 * Takes one record from *at, never past `end` (PSR_PAD zeros must follow it).
 * 1: in `out` (room for PSR_RECORD_MAX bytes), 0: of an event unknown here, skipped, -EBADMSG: malformed.
 */
int psr_decode(struct psr_codec *codec, const unsigned char **at, const unsigned char *end, struct ps_record *out);

#endif
