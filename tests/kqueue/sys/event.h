/* SPDX-License-Identifier: BSD-2-Clause */
/* <sys/event.h> of the shim: the part of kqueue(2) that the backend uses, with FreeBSD's values. */
#ifndef SHIM_SYS_EVENT_H
#define SHIM_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

#define EVFILT_READ  (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER  (-11)

#define EV_ADD    0x0001
#define EV_DELETE 0x0002
#define EV_CLEAR  0x0020
#define EV_ERROR  0x4000
#define EV_EOF    0x8000

#define NOTE_TRIGGER 0x01000000

struct kevent {
	uintptr_t ident;
	short filter;
	unsigned short flags;
	unsigned int fflags;
	int64_t data;
	void *udata;
};

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                                     \
	(*(event) = (struct kevent){ (ident_), (short)(filter_), (unsigned short)(flags_), (fflags_), (data_), \
				     (udata_) })

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
	   const struct timespec *timeout);

#endif
