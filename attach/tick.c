/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tick interrupts a busy CPU in any case, so looking from it costs next to
 * nothing. Its length is the resolution of the coarse clocks. Where it comes
 * from is told by the clock event device of each CPU: the local APIC's timer,
 * or something else (a hypervisor's own timer, say) whose interrupt is another.
 * Busy CPUs that are to be left alone (nohz_full) have none.
 */
#include "tick.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proc.h"

#define DEVICES "/sys/devices/system/clockevents/clockevent%d/current_device"

/* The first line of a file, without its end; -1 = there is none. */
static int line_of(const char *path, char *line, size_t room)
{
	if (proc_read_file(path, line, room) < 0)
		return -1;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

static int is_by_local_timer(void)
{
	char path[96], device[32];
	int cpu = 0;

	for (;; cpu++) {
		snprintf(path, sizeof(path), DEVICES, cpu);
		if (line_of(path, device, sizeof(device)))
			break;
		/* a CPU that is offline has none */
		if (*device && strncmp(device, "lapic", 5))
			return 0;
	}
	return cpu > 0;
}

/* "(null)" where the kernel could leave CPUs alone but was not told to. */
static int is_everywhere(void)
{
	char cpus[64];

	return line_of("/sys/devices/system/cpu/nohz_full", cpus, sizeof(cpus)) || !*cpus || !strcmp(cpus, "(null)");
}

/* Who may not know the kernel's addresses reads zeros. */
static int is_named(void)
{
	char text[4096];
	int is_known = 0;

	proc_read_file("/proc/kallsyms", text, sizeof(text));
	for (const char *line = text; *line && !is_known; line += *line == '\n') {
		is_known = line[strspn(line, "0")] != ' ';
		line += strcspn(line, "\n");
	}
	return is_known;
}

uint32_t tick_find(uint64_t wanted_ns, uint64_t *sample_ns)
{
	struct timespec length;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &length) || length.tv_sec || length.tv_nsec <= 0)
		return 0;
	uint64_t tick_ns = (uint64_t)length.tv_nsec;
	if (tick_ns > wanted_ns || !is_by_local_timer() || !is_everywhere() || !is_named())
		return 0;
	*sample_ns = wanted_ns / tick_ns * tick_ns;
	return (uint32_t)(wanted_ns / tick_ns);
}
