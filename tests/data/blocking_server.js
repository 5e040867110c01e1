// An HTTP server that also blocks its own loop for 200 ms every second, in the way named by argv[2].
'use strict';
const http = require('http');
const crypto = require('crypto');
const { performance } = require('perf_hooks');

function hashPasswords(until) {
  while (performance.now() < until) crypto.pbkdf2Sync('secret', 'salt', 1000, 64, 'sha512');
}

function addNumbers(until) {
  let sum = 0;
  while (performance.now() < until) for (let i = 0; i < 1000; i++) sum += i * i;
  return sum;
}

const block = { pbkdf2: hashPasswords, loop: addNumbers, none: () => {} }[process.argv[2] || 'none'];
const server = http.createServer((request, response) => response.end('hello\n'));
server.listen(Number(process.argv[3] || 0), '127.0.0.1', () => {
  console.log(server.address().port);
  setInterval(() => block(performance.now() + 200), 1000);
});
