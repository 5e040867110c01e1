// SPDX-License-Identifier: BSD-2-Clause
// Blocks its loop for 300 ms, three times, while connections and timers come due; begins when a client sends "go".
// Argument: how many timers. Its clients send again when they hear "blocked" on standard output.
'use strict';
const net = require('net');
const timers = Number(process.argv[2]);
const now = () => Number(process.hrtime.bigint()) / 1e6;
let turn = 0;

function hold() {
  const end = now() + 300;
  for (let i = 0; i < timers; i++) setTimeout(() => {}, 20 + i * 230 / timers);
  for (let i = 0; i < 5; i++) setTimeout(() => {}, 800); // not due meanwhile
  setImmediate(function block() {
    const stop = now() + 300;
    require('fs').writeSync(1, 'blocked\n');
    while (now() < stop);
    if (++turn < 3) setTimeout(hold, 1000);
  });
}

const server = net.createServer((socket) => {
  socket.on('data', (data) => data.toString() === 'go' && setTimeout(hold, 1000));
});
server.listen(0, '127.0.0.1', () => require('fs').writeSync(1, `port ${server.address().port}\n`));
