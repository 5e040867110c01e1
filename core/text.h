/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Foreign text made safe, and numbers made readable.
 *
 * Every string that a target, a kernel or a file gave us passes text_clean()
 * exactly once, where it is interned by the model; all views print the result.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies at most `bytes` of `in` to `out` (room bytes, always terminated):
 * C0, DEL, C1, bidi controls, line separators and invalid UTF-8 become U+FFFD
 * (one per byte or character); too long text is cut at a character and ends in
 * "…". Returns the length written.
 */
size_t text_clean(char *out, size_t room, const char *in, size_t bytes);

/* "app.js" of "/srv/app.js"; the place of evaluated code, "eval at f (/srv/app.js:3:1)", is no path and stays. */
const char *text_last_part(const char *path);

/* Columns that the UTF-8 text fills on a terminal. */
int text_width(const char *text);

/* "412ms", "1.9s", "0.4ms", "88us": at most 6 columns, three digits. Returns out. */
char *text_duration(char out[16], uint64_t ns);
char *text_count(char out[16], uint64_t count);   /* "1204", "48.1k", "2.5M" */
char *text_bytes(char out[16], uint64_t bytes);   /* "88K", "1.1M" */

/* "50ms", "2s", "1.5s", "10us", "100ns", "2m", "1h"; a bare number is refused. 0 or -EINVAL. */
int text_parse_duration(const char *text, uint64_t *ns);
int text_parse_size(const char *text, uint64_t *bytes);  /* "8MiB", "64K", "1000" */

/* The name in `names` (NULL-terminated) nearest to `word` by edit distance, or NULL if none is near. */
const char *text_nearest(const char *word, const char *const *names);

#endif
