// SPDX-License-Identifier: BSD-2-Clause
// Stalls that all have other stacks: each goes through a server's usual frames, then through some of 300 functions in an
// order of its own, and works in one of several ways. Prints how many there were after each; ends after `count`.
'use strict';
const crypto = require('crypto');
const count = Number(process.argv[2] || 100), least = Number(process.argv[3] || 60);
let seed = 7;
const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;

const work = [
  () => { let sum = 0; for (let i = 0; i < 50000; i++) sum += Math.sqrt(i) * i % 7; return sum; },
  () => JSON.parse(JSON.stringify(Array.from({ length: 300 }, (_, i) => ({ id: i, name: 'n' + i, tags: [i, i + 1] })))),
  () => crypto.createHash('sha512').update('x'.repeat(20000)).digest('hex'),
  () => Array.from({ length: 2000 }, () => random(1e6)).sort((a, b) => a - b),
  () => 'lorem ipsum dolor '.repeat(200).replace(/(\w+) (\w+)/g, (all, a, b) => b + ' ' + a),
  () => crypto.pbkdf2Sync('a', 'b', 300, 32, 'sha256'),
  () => { const map = new Map(); for (let i = 0; i < 3000; i++) map.set('k' + i, i); return map.size; },
];
const steps = Array.from({ length: 300 }, (_, i) => new Function('path', 'at', 'steps', 'leaf', 'until',
  '"use strict";' + '\n'.repeat(i % 40) +
  `return function step${i}(path, at, steps, leaf, until) {` +
  '\n'.repeat(i % 13) + 'if (at < path.length) return steps[path[at]](path, at + 1, steps, leaf, until);' +
  '\n'.repeat(i % 7) + 'do leaf(); while (process.hrtime.bigint() < until); };')());

function handle(path, leaf) {
  const until = process.hrtime.bigint() + BigInt(least) * 1000000n;
  steps[path[0]](path, 1, steps, leaf, until);
}
function route(path, leaf) { handle(path, leaf); }
function middleware(path, leaf) { route(path, leaf); }

let done = 0;
(function next() {
  middleware(Array.from({ length: 3 + random(6) }, () => random(steps.length)), work[random(work.length)]);
  console.log(++done);
  if (done < count)
    setTimeout(next, 5);
})();
setInterval(() => {}, 1000);
