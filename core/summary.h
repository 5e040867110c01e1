/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary document of docs/summary.md (`stat --json`, `report --json`),
 * made from a model. One function makes the tree; text and JSON are printed
 * from it, and `check` finds its metrics in it by path, so the three agree.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include <jansson.h>
#include <stdio.h>

#include "model.h"
#include "psr.h"

#define SUMMARY_SCHEMA_VERSION 1

/* New reference, or NULL when out of memory. `pid` 0 = the first process is the target. */
json_t *summary_document(const struct model *model, const char *tool, uint32_t pid);
/* Adds what it was watched on and by; recordings carry it in their head. */
void summary_identify(json_t *document, const struct psr_info *info);
/* The same for people: at most 100 columns, plain text. 0 or -errno. */
int summary_print(const json_t *document, FILE *out);

#endif
