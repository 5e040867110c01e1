/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the libraries that were linked. */
#ifndef VERSIONS_H
#define VERSIONS_H

const char *version_uv(void);
const char *version_ev(void);
const char *version_event(void);

#endif
