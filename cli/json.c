/* SPDX-License-Identifier: BSD-2-Clause */
/* A failed write to stdout is told once, by main(). */
#include "json.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "text.h"

void json_put_text(json_t *object, const char *key, const char *text, size_t room)
{
	char clean[1024];
	text_clean(clean, sizeof(clean), text, strnlen(text, room));
	json_object_set_new(object, key, *clean ? json_string(clean) : json_null());
}

void json_tell(const char *key, json_t *value)
{
	json_t *document = json_pack("{s:i, s:s}", "schema_version", 1, "tool", COMMAND_TOOL);
	json_object_set_new(document, key, value);
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(document);
}
