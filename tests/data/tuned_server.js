// SPDX-License-Identifier: BSD-2-Clause
// A server that does all that servers do, each as it should be done: small documents, work in the pool, streams, short
// timers, a cache. Its loop is never held for long. Prints its port; the argument is a scratch directory.
'use strict';
const crypto = require('crypto'), fs = require('fs'), http = require('http'), path = require('path'), zlib = require('zlib');

const file = path.join(process.argv[2], 'page');
fs.writeFileSync(file, Buffer.alloc(64 << 10, 'the quick brown fox '));
const rows = Array.from({ length: 50 }, (_, i) => ({ id: i, name: 'row ' + i, tags: ['a', 'b', i] }));
const cache = new Map();

const routes = {
  '/rows': (request, answer) => answer.end(JSON.stringify(rows)),
  '/page': (request, answer) => fs.createReadStream(file).pipe(answer),
  '/zip': (request, answer) => fs.createReadStream(file).pipe(zlib.createGzip()).pipe(answer),
  '/login': (request, answer) => crypto.pbkdf2('secret', 'salt', 5000, 32, 'sha256', (error, key) => answer.end(key.toString('hex'))),
  '/stat': (request, answer) => fs.stat(file, (error, status) => answer.end(String(status.size))),
  '/echo': (request, answer) => {
    let text = '';
    request.on('data', (part) => { text += part; }).on('end', () => answer.end(JSON.stringify(JSON.parse(text))));
  },
  '/many': (request, answer) => { // long work in parts
    let sum = 0, part = 0;
    (function next() {
      for (let i = 0; i < 50000; i++) sum += i % 7;
      if (++part < 20) setImmediate(next); else answer.end(String(sum));
    })();
  },
};

const server = http.createServer((request, answer) => {
  cache.set(cache.size % 1000, { url: request.url, at: Date.now() });
  const route = routes[request.url];
  if (route) return route(request, answer);
  answer.statusCode = 404;
  answer.end();
});
setInterval(() => cache.size > 900 && cache.clear(), 20);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
