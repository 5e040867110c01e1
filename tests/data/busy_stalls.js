// A server under load that is held up now and then: busy_stalls.js FILE COUNT. SIGUSR2 begins it; when it has made COUNT
// stalls it writes down when each was (CLOCK_MONOTONIC), and what its loop counted meanwhile.
const fs = require('fs')
const { performance } = require('perf_hooks')
const [file, count] = [process.argv[2], Number(process.argv[3])]
const stalls = []
let before, elu
const own = () => ({ ...performance.nodeTiming.uvMetricsInfo })
function injected(ms) {
	const begin = process.hrtime.bigint()
	while (process.hrtime.bigint() - begin < BigInt(ms * 1e6));
	stalls.push([String(begin), String(process.hrtime.bigint())])
}
function next() {
	if (stalls.length < count)
		return setTimeout(() => { injected(60 + 37 * (stalls.length % 8)); next() }, 400 + 97 * (stalls.length % 5))
	const after = own()
	fs.writeFileSync(file + '.part', JSON.stringify({ stalls, turns: after.loopCount - before.loopCount,
		events: after.events - before.events, utilization: performance.eventLoopUtilization(elu).utilization }))
	fs.renameSync(file + '.part', file)
}
process.on('SIGUSR2', () => { before = own(); elu = performance.eventLoopUtilization(); next() })
const server = require('http').createServer((q, s) => s.end('hello'))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
