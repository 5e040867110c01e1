/* SPDX-License-Identifier: BSD-2-Clause */
/* nginx: built without symbols by most, so what the kernel sees is all there is. */
#include "runtime.h"

#include <string.h>

static int detect(const struct runtime_facts *facts)
{
	return !strcmp(facts->guess.name, "nginx");
}

const struct runtime runtime_nginx = {
	.name = "nginx",
	.note = "polls, stalls and descriptors of every worker, from the kernel's side",
	.hidden = "nginx exports none of its state: polls, stalls and descriptors are seen from the kernel's side",
	.detect = detect,
};
