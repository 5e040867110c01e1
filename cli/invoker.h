/* SPDX-License-Identifier: BSD-2-Clause */
/* The user behind sudo: whom launched commands run as and whom our files belong to. */
#ifndef INVOKER_H
#define INVOKER_H

#include <sys/types.h>

/* 1 and the ids when we are root by way of sudo, else 0. */
int invoker_find(uid_t *uid, gid_t *gid);

#endif
