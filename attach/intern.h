/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded set of byte strings, each with a small number: the same bytes give
 * the same number. Numbers rise from 1 and are never reused, so what was once
 * numbered may be forgotten (and numbered anew) when the set is full.
 */
#ifndef INTERN_H
#define INTERN_H

#include <stddef.h>
#include <stdint.h>

struct intern;

int intern_open(struct intern **intern, size_t max_bytes);
void intern_close(struct intern *intern);
/* The number of these bytes; *is_new says that it was given just now. 0 = no memory. */
uint32_t intern_id(struct intern *intern, const void *bytes, size_t count, int *is_new);
/* Forgets all; the numbers go on rising. What it was is in *before, to be read and closed. -ENOMEM: nothing is forgotten. */
int intern_forget(struct intern *intern, struct intern **before);
/* What has this number; NULL = nothing that is remembered. */
const void *intern_bytes(struct intern *intern, uint32_t id, size_t *count);

#endif
