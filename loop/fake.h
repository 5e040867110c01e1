/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend of the tests: scripted readiness and a clock that is set.
 *
 * A loop opened with backend "fake" lives in this time. A wait reports what was
 * scripted; else it ends by a wake-up; else its timeout passes at once by moving
 * the clock. A wait without end and without script waits for a wake-up for real.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdint.h>

struct ps_loop;

#define FAKE_WAITS 64

void fake_set_time(struct ps_loop *loop, uint64_t ns);
uint64_t fake_time(const struct ps_loop *loop);
/* The next wait that has room reports it; at most 64 may be waiting. -ENOSPC */
int fake_ready(struct ps_loop *loop, int fd, uint32_t events);
uint32_t fake_interest(const struct ps_loop *loop, int fd); /* what set() last said; fds below 1024 */
uint64_t fake_wait_count(const struct ps_loop *loop);
int64_t fake_wait_timeout(const struct ps_loop *loop, uint64_t index); /* of wait `index`, the last FAKE_WAITS are kept */

#endif
