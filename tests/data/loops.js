// A process with two worker threads (argument "threads") or a cluster of three
// ("cluster"), each loop busy for another share of its time. Every 100 ms each
// tells its thread, the time, and active and idle time of its own loop.
const { performance } = require('perf_hooks');
const fs = require('fs');
const threads = require('worker_threads');
const cluster = require('cluster');

function work(share) {
	const period = 40;
	setInterval(() => {
		const end = performance.now() + period * share;
		while (performance.now() < end);
	}, period);
	setInterval(() => {
		const told = performance.eventLoopUtilization();
		// hrtime is CLOCK_MONOTONIC, as pollscope's times are; a worker's writes go through its parent, so not console.log
		fs.writeSync(1, `${process.pid} ${threads.threadId} ${process.hrtime.bigint()} ${told.active} ${told.idle}\n`);
	}, 100);
}

if (!threads.isMainThread || cluster.isWorker) {
	work(Number(threads.workerData || process.env.SHARE));
} else if (process.argv[2] === 'threads') {
	work(0.05);
	for (const share of [0.3, 0.15])
		new threads.Worker(__filename, { workerData: share });
} else {
	for (const share of [0.3, 0.2, 0.1])
		cluster.fork({ SHARE: share });
	work(0.05);
}
