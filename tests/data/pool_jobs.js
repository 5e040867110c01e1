// Once it is told to on stdin: 12 pbkdf2, 20 fs.stat and 3 dns.lookup at once, then
// what the program itself measured, as one line of JSON: ms from call to callback of
// each fs.stat. A second line on stdin ends it.
'use strict';
const crypto = require('crypto'), fs = require('fs'), dns = require('dns');
const { performance } = require('perf_hooks');

function jobs() {
	const stats = [], pbkdf2 = [];
	let left = 12 + 20 + 3;
	const done = () => { if (!--left) console.log(JSON.stringify({ stats, pbkdf2 })); };
	for (let i = 0; i < 12; i++) {
		const begin = performance.now();
		crypto.pbkdf2('secret', 'salt' + i, 60000, 64, 'sha512', () => { pbkdf2.push(performance.now() - begin); done(); });
	}
	for (let i = 0; i < 20; i++) {
		const begin = performance.now();
		fs.stat('/tmp', () => { stats.push(performance.now() - begin); done(); });
	}
	for (let i = 0; i < 3; i++)
		dns.lookup('localhost', () => done());
}

process.stdin.once('data', () => {
	jobs();
	process.stdin.once('data', () => process.exit(0));
});
console.log(process.pid);
