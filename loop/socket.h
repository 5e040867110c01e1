/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening sockets, for the loop's listeners and for the server that blocks. */
#ifndef SOCKET_H
#define SOCKET_H

#include <stdint.h>

int socket_listen_tcp(const char *host, uint16_t port); /* a descriptor that does not block, or -errno */
uint16_t socket_port(int fd); /* that it is bound to; 0 = none */

#endif
