/* SPDX-License-Identifier: BSD-2-Clause */
/* sudo tells the user in SUDO_UID and SUDO_GID; only root believes it. */
#include "invoker.h"

#include <stdlib.h>
#include <unistd.h>

static long number_of(const char *text)
{
	char *end;
	long value = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
	return value > 0 && !*end ? value : -1;
}

int invoker_find(uid_t *uid, gid_t *gid)
{
	long user = number_of(getenv("SUDO_UID")), group = number_of(getenv("SUDO_GID"));
	if (geteuid() || user < 0 || group < 0)
		return 0;
	*uid = (uid_t)user;
	*gid = (gid_t)group;
	return 1;
}
