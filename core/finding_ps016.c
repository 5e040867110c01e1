/* SPDX-License-Identifier: BSD-2-Clause */
/* PS016: a stream is above its high-water mark, is written to all the same, and its buffer grows. */
#include "findings.h"

#include "text.h"

#define LEAST_NS 1000000000ull
#define LEAST_GROWTH 65536u

/* the stream that is above its mark for longest */
static const struct fd_stat *longest_above(const struct loop *loop)
{
	const struct fd_stat *best = NULL;
	for (size_t i = 0; i < loop->fd_count; i++)
		if (loop->fds[i].above_ns && !loop->fds[i].closed && (!best || loop->fds[i].above_ns < best->above_ns))
			best = &loop->fds[i];
	return best;
}

/* growth a second over the last two whole seconds, both rising; 0 = it does not grow */
static uint64_t growth(const struct model *model, const struct loop *loop)
{
	uint64_t second = model->now_ns / 1000000000;
	const struct slot *now = &loop->slots[(second - 1) % MODEL_SLOTS],
			  *before = &loop->slots[(second - 2) % MODEL_SLOTS];
	if (second < 3 || now->second != second - 1 || before->second != second - 2 ||
	    now->buffered_bytes <= before->buffered_bytes)
		return 0;
	return now->buffered_bytes - before->buffered_bytes;
}

static void judge(const struct finding_rule *rule, const struct model *model, uint64_t since_ns,
		  struct findings_list *list)
{
	for (size_t i = 0; i < model->loop_count; i++) {
		const struct loop *loop = model->loops[i];
		const struct fd_stat *fd = longest_above(loop);
		uint64_t rate = fd ? growth(model, loop) : 0;
		if (!fd || rate < LEAST_GROWTH || model->now_ns - fd->above_ns < LEAST_NS || loop->last_ns < since_ns ||
		    loop->buffered_bytes == PS_UNKNOWN || loop->buffered_bytes < 2 * fd->high_water_bytes)
			continue;
		struct finding finding = finding_of(rule, SEVERITY_WARN, loop);
		char buffered[16], grows[16], since[16];
		finding_title(&finding, "backpressure ignored: fd %d %s is above its mark for %s, %s buffered, +%s/s",
			      fd->fd, fd->name, text_duration(since, model->now_ns - fd->above_ns),
			      text_bytes(buffered, loop->buffered_bytes), text_bytes(grows, rate));
		finding.last_ns = loop->last_ns;
		finding_count(&finding, "fd", (uint64_t)fd->fd);
		finding_ns(&finding, "above_ns", model->now_ns - fd->above_ns);
		finding_count(&finding, "high_water_bytes", fd->high_water_bytes);
		finding_count(&finding, "buffered_bytes", loop->buffered_bytes);
		finding_count(&finding, "growth_bytes_per_s", rate);
		findings_add(list, &finding);
	}
}

const struct finding_rule finding_ps016 = {
	.id = "PS016",
	.name = "backpressure ignored",
	.defaults = "above the high-water mark for >= 1 s while the buffers grow by >= 64 KiB/s warn",
	.advice = "stop writing when the stream says so and go on at drain, or pipe the streams",
	.confirm = "the column BUF of that descriptor rises while its other end reads slowly",
	.where = "fds",
	.judge = judge,
};
