// The same work each time: TURNS turns of the loop, each with WORK rounds of computation and a pause. SYNC=FILE reads a
// file synchronously now and then. For tests that compare runs.
'use strict';
const fs = require('fs');
const turns = Number(process.env.TURNS || 400), work = Number(process.env.WORK || 100), file = process.env.SYNC;
let turn = 0, sum = 0;

function compute(rounds) {
  for (let i = 0; i < rounds * 4000; i++)
    sum = (sum * 31 + i) % 1000003;
}

function readSettings() {
  return fs.readFileSync(file).length; // sin: readSettings
}

function next() {
  compute(work);
  if (file && turn % 100 === 50)
    sum += readSettings();
  if (++turn < turns)
    setTimeout(next, 2);
}

next();
