/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON of the smaller commands (ls, doctor, check). */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <stddef.h>

/* Sets foreign text, cleaned; "" becomes null. */
void json_put_text(json_t *object, const char *key, const char *text, size_t room);
/* Prints {"schema_version": 1, "tool": …, KEY: value} on stdout; takes the reference. */
void json_tell(const char *key, json_t *value);

#endif
