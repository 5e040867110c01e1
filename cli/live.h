/* SPDX-License-Identifier: BSD-2-Clause */
/* A live view of an open watch: the dashboard on a terminal, blocks of text elsewhere. Shared by top and demo. */
#ifndef LIVE_H
#define LIVE_H

#include "dashboard.h"
#include "side_record.h"
#include "watch.h"

struct live {
	struct watch watch;
	struct dashboard dashboard;
	const struct model *model;     /* the watch's, for the dashboard */
	const char *mode;              /* NULL = the watch's own */
	uint64_t blocks, last_stall;
	uint64_t news;                 /* the newest stall that was shown without waiting for the next picture */
	struct side_record record;     /* begun with a key */
	void (*before_block)(struct live *live); /* plain text: said before each block; may be NULL */
	void (*before_draw)(struct live *live);  /* may be NULL */
};

/* Runs an open watch until its end; 0 or an exit code. */
int live_run(struct live *live, const struct options *options);

#endif
