/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: any bytes as a budget file. What is refused has a message of one clean line; what is accepted is
 * judged on a document without failing.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char document[] =
	"{\"schema_version\":1,\"stall_threshold_ns\":50000000,\"window_ns\":1000,\"events\":5,\"lost\":{\"total\":0},\"target\":{\"comm\":\"a\"},"
	"\"loops\":[{\"pid\":1,\"comm\":\"a\",\"polls\":3,\"iterations\":4,\"busy_ns\":9,\"on_cpu_ns\":5,\"stall_count\":1,\"iteration_ns\":{\"p50\":1},"
	"\"stalls\":[{\"duration_ns\":60000000,\"rule\":\"sync-call\",\"cause\":\"cpu\",\"culprit\":\"read(3) /tmp/a1/b <- f a.js:1\","
	"\"start_ns\":1}]}],\"pools\":[],\"not_measured\":{}}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static json_t *made;
	char path[64], message[512];
	struct budget_file *budgets = NULL;
	struct check_report report;
	if (!made && !(made = json_loads(document, 0, NULL)))
		abort();
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int err = budget_open(&budgets, path, message, sizeof(message));
	if (err && (!*message || strchr(message, '\n') || strlen(message) >= sizeof(message)))
		abort();
	if (!err) {
		const struct check_runs runs = { &made, NULL, 1 };
		if (check_run(&report, budgets, &runs, &runs, &(struct check_options){ 0 }))
			abort();
		json_decref(check_json(&report));
		check_report_free(&report);
	}
	budget_close(budgets);
	close(fd);
	return 0;
}
