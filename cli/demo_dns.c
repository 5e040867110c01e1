/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Name lookups that hold the pool: the names are asked of a name server of our
 * own on 127.0.0.1, which takes its time and then knows none of them. The C
 * library keeps the server per thread, so a job in each thread of the pool sets
 * it; a barrier sees to it that no thread gets two of these jobs.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS 1000000ull
#define ANSWER_AFTER_NS (300 * MS) /* each of two questions: A and AAAA */
#define MOST_JOBS 64
#define QUESTIONS_MAX 256

static int server = -1, file = -1;
static struct sockaddr_in server_address;
static pthread_barrier_t all_threads;
static unsigned jobs;

/* ---- the name server ---- */

struct question {
	struct sockaddr_in from;
	uint64_t due_ns;
	ssize_t bytes;
	unsigned char text[512];
};

/* "no such name" to the oldest question; questions wait side by side, as in a server that waits for another one */
static void answer(struct question *question)
{
	uint64_t now = demo_now_ns();
	if (question->due_ns > now)
		demo_sleep_ns(question->due_ns - now);
	question->text[2] |= 0x80;
	question->text[3] = 0x83;
	sendto(server, question->text, (size_t)question->bytes, 0, (struct sockaddr *)&question->from,
	       sizeof(question->from));
}

static void *serve_names(void *arg)
{
	static struct question queue[QUESTIONS_MAX];
	size_t first = 0, count = 0;
	for (;;) {
		struct question *next = &queue[(first + count) % QUESTIONS_MAX];
		socklen_t length = sizeof(next->from);
		next->bytes = recvfrom(server, next->text, sizeof(next->text), count ? MSG_DONTWAIT : 0,
				       (struct sockaddr *)&next->from, &length);
		if (next->bytes >= 12 && count + 1 < QUESTIONS_MAX) {
			next->due_ns = demo_now_ns() + ANSWER_AFTER_NS;
			count++;
			continue;
		}
		if (!count)
			continue;
		answer(&queue[first]);
		first = (first + 1) % QUESTIONS_MAX;
		count--;
	}
	return NULL;
}

static int start_server(void)
{
	pthread_t thread;
	socklen_t length = sizeof(server_address);
	server_address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (server < 0 || bind(server, (struct sockaddr *)&server_address, sizeof(server_address)) ||
	    getsockname(server, (struct sockaddr *)&server_address, &length))
		return -errno;
	int err = pthread_create(&thread, NULL, serve_names, NULL);
	if (err)
		return -err;
	pthread_setname_np(thread, "demo-names");
	return -pthread_detach(thread);
}

/* ---- the clients ---- */

static int64_t use_server(void *arg)
{
	res_init();
	_res.nscount = 1;
	_res.nsaddr_list[0] = server_address;
	_res.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
	pthread_barrier_wait(&all_threads);
	return 0;
}

static void on_server_set(struct ps_work *work, int64_t result, void *arg)
{
}

struct lookup {
	struct addrinfo *found;
};

static void on_looked_up(struct ps_work *work, int64_t result, void *arg)
{
	struct lookup *lookup = arg;
	jobs--;
	if (!result)
		freeaddrinfo(lookup->found);
}

static void on_read(struct ps_work *work, int64_t result, void *arg)
{
	jobs--;
}

static void scenario_dns_hog(void *loop)
{
	static struct lookup lookups[MOST_JOBS + 4];
	static char buffer[4096];
	static unsigned number;
	char name[64];
	if (jobs > MOST_JOBS)
		return;
	for (int i = 0; i < 2; i++) {
		struct lookup *lookup = &lookups[number % (MOST_JOBS + 4)];
		snprintf(name, sizeof(name), "backend-%u.demo.invalid", number++);
		jobs += !ps_dns_lookup(loop, name, NULL, &lookup->found, on_looked_up, lookup);
	}
	jobs += !ps_fs_read(loop, file, buffer, sizeof(buffer), 0, on_read, NULL);
}

/* once; the demo's names are not to reach anybody else's server */
static int prepare(struct ps_loop *loop)
{
	int err = start_server();
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (!err && __nss_configure_lookup("hosts", "dns"))
		err = -errno;
	if (!err)
		err = -pthread_barrier_init(&all_threads, NULL, ps_pool_threads());
	for (unsigned i = 0; !err && i < ps_pool_threads(); i++)
		err = ps_work_submit(loop, NULL, use_server, on_server_set, NULL);
	return err;
}

int demo_dns_start(struct ps_loop *loop)
{
	int err = server < 0 ? prepare(loop) : 0;
	return err ? err : demo_ticker_start(loop, scenario_dns_hog, 50 * MS, 100 * MS);
}
