// SPDX-License-Identifier: BSD-2-Clause
// Serves a light load on a timer, and blocks now and then: `count` times for 60 to 400 ms. Writes what it did to the
// file of the first argument: begin and end of each stall, CLOCK_MONOTONIC ns, when all are over.
'use strict';
const fs = require('fs');
const [out, count] = [process.argv[2], Number(process.argv[3])];
const stalls = [];
let seed = 7;
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;

function injected(ms) {
  const begin = process.hrtime.bigint(), end = begin + BigInt(Math.round(ms * 1e6));
  while (process.hrtime.bigint() < end);
  stalls.push([String(begin), String(process.hrtime.bigint())]);
  if (stalls.length === count) return setTimeout(() => fs.writeFileSync(out, JSON.stringify(stalls)), 300);
  setTimeout(injected, 20 + random() * 60, 60 + random() * 340);
}
setInterval(() => { for (let i = 0; i < 2e5; i++); }, 7);
process.once('SIGUSR2', () => injected(100));
console.log('ready');
