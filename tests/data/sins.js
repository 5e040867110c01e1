// Blocks its event loop in one way after the other, each for a fifth of a second, named after the rule it breaks.
// Arguments: a scratch directory; "worker" to do it in a worker thread.
'use strict';
const crypto = require('crypto'), fs = require('fs'), path = require('path'), zlib = require('zlib');
const { execSync } = require('child_process');
const { Worker, isMainThread, workerData } = require('worker_threads');

const scratch = isMainThread ? process.argv[2] : workerData;
const now = () => Number(process.hrtime.bigint()) / 1e6;
const rows = Array.from({ length: 3000 }, (_, i) => ({ id: i, name: 'row ' + i, tags: ['a', 'b', i] }));
const document = JSON.stringify(rows);
const many = Array.from({ length: 30000 }, (_, i) => (i * 7919) % 30011);
const bytes = Buffer.alloc(1 << 20, 'the quick brown fox jumps over the lazy dog ');
const cached = path.join(scratch, 'cached'), fifo = path.join(scratch, 'fifo'), big = path.join(scratch, 'big.js');

function parseRows(end) {
  while (now() < end) JSON.parse(document); // sin: parseRows
}
function printRows(end) {
  while (now() < end) JSON.stringify(rows); // sin: printRows
}
function matchName(end) {
  while (now() < end) /^(\w+\s?)*$/.test('the quick brown fox ju!'); // sin: matchName
}
function hashSecret(end) {
  while (now() < end) crypto.pbkdf2Sync('secret', 'salt', 2000, 64, 'sha512'); // sin: hashSecret
}
function readCached(end) {
  while (now() < end) fs.readFileSync(cached); // sin: readCached
}
function readSlowly() {
  fs.readFileSync(fifo); // sin: readSlowly
}
function addUp(end) {
  let sum = 0;
  while (now() < end) for (let i = 0; i < 10000; i++) sum += i % 7; // sin: addUp
  return sum;
}
function collectAll(end) {
  while (now() < end) collect(); // sin: collectAll
}
function pack(end) {
  while (now() < end) zlib.gzipSync(bytes); // sin: pack
}
function shellOut() {
  execSync('sleep 0.2'); // sin: shellOut
}
function sortAll(end) {
  while (now() < end) many.slice().sort(); // sin: sortAll
}
function loadAll(end) {
  while (now() < end) {
    delete require.cache[big];
    require(big); // sin: loadAll
  }
}
function chainTicks(end) {
  if (now() < end) process.nextTick(chainTicks, end); // sin: chainTicks
}
function waitForever() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200); // sin: waitForever
}

const sins = [parseRows, printRows, matchName, hashSecret, readCached, readSlowly, addUp, collectAll, pack, shellOut,
  sortAll, loadAll, chainTicks, waitForever];
let collect;

function begin() {
  require('v8').setFlagsFromString('--expose-gc');
  collect = require('vm').runInNewContext('gc');
  fs.writeFileSync(cached, Buffer.alloc(8 << 20));
  fs.writeFileSync(big, 'module.exports = [' + rows.map((row) => `(a) => { const b = ${row.id}; return [a, b, ${row.id}]; }`) + '];');
  let turn = 0;
  setInterval(() => sins[turn++ % sins.length](now() + 200), 300);
  console.log('ready');
}

if (isMainThread && process.argv[3] === 'worker')
  new Worker(__filename, { workerData: scratch });
else
  begin();
