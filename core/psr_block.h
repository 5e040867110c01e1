/* SPDX-License-Identifier: BSD-2-Clause */
/* The outside of a recording: file head, block heads, the index. Shared by writer and reader only. */
#ifndef PSR_BLOCK_H
#define PSR_BLOCK_H

#include "psr.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "recordings are little-endian and written as they lie in memory");

#define PSR_MAGIC       "\x89PSR\r\n\x1a\n" /* 8 bytes; a text-mode copy breaks it visibly */
#define PSR_SYNC        "\xf1PSRblk\n"
#define PSR_INDEX_MAGIC "PSRINDEX"
#define PSR_MAJOR 2 /* the schema tells how fields are guessed */
#define PSR_MINOR 0
#define PSR_ORDER 0x01020304u
#define PSR_HEAD_MAX (1u << 20)
#define PSR_RAW_MAX (PSR_CHUNK + (1u << 18)) /* a chunk and one record of the greatest size */

struct psr_head {            /* then body_bytes of tagged fields */
	char magic[8];
	uint16_t major, minor;
	uint32_t order;
	uint32_t body_bytes;
	uint32_t crc;        /* of what is before it here and of the body */
};
_Static_assert(sizeof(struct psr_head) == 24, "layout of the file head");

enum psr_kind {
	PSR_EVENTS_BLOCK = 1,
	PSR_DEFINITIONS_BLOCK = 2, /* all that is defined so far, once more */
	PSR_INDEX_BLOCK = 3,
};

struct psr_block {           /* then packed_bytes of zstd */
	char sync[8];
	uint32_t head_crc;   /* of what follows it here */
	uint32_t body_crc;   /* of the packed bytes */
	uint32_t kind;
	uint32_t sequence;   /* of the block, from 0 */
	uint32_t packed_bytes;
	uint32_t raw_bytes;
	uint32_t events;     /* records in this block */
	uint32_t zero;
	uint64_t first_ts, last_ts; /* least and greatest time of its records */
	uint64_t lost;       /* sum of its LOST records */
	uint64_t before;     /* records in all events blocks before this one */
};
_Static_assert(sizeof(struct psr_block) == 72, "layout of a block head");

struct psr_seek {            /* one per set of definitions, in the index */
	uint64_t offset;     /* of its first block in the file */
	uint64_t ts;         /* greatest time before it */
	uint64_t before;
};
_Static_assert(sizeof(struct psr_seek) == 24, "layout of an index entry");

struct psr_trailer {         /* the last bytes of a whole file */
	uint64_t index_offset;
	char magic[8];
};

/* The file head of `info` and our schema; *out is to be freed. 0 or -errno. */
int psr_head_print(const struct psr_info *info, unsigned char **out, size_t *bytes);
/* The fields of a head's body; `schema` points into it. 0, -EILSEQ, -EPROTONOSUPPORT. */
int psr_head_parse(const unsigned char *body, size_t bytes, struct psr_info *info, const unsigned char **schema,
		   size_t *schema_bytes);

void psr_block_seal(struct psr_block *block, const unsigned char *packed);
/* The head is one of ours and its sizes are possible. */
int psr_block_good(const struct psr_block *block);
uint32_t psr_crc(uint32_t crc, const void *bytes, size_t count);

#endif
