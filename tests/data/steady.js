// The same work each time: TURNS turns of the loop, each with WORK rounds of computation and a pause. SYNC=FILE reads a
// file synchronously now and then, NOISE makes stalls of some functions at random, ONE a single one more. For tests that compare runs.
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

function spin(ms) {
  for (const end = performance.now() + ms; performance.now() < end;)
    compute(1);
}

// most runs have each of these, some longer, some shorter than a threshold of 20 ms
const noises = [
  function parse() { spin(15 + Math.random() * 30); },
  function render() { spin(10 + Math.random() * 40); },
  function collect() { spin(10 + Math.random() * 60); },
];

function oneMore() {
  spin(60); // sin: oneMore
}

function next() {
  compute(work);
  if (process.env.NOISE && Math.random() < 0.05)
    noises[turn % noises.length]();
  if (process.env.ONE && turn === turns >> 1)
    oneMore();
  if (file && turn % 100 === 50)
    sum += readSettings();
  if (++turn < turns)
    setTimeout(next, 2);
}

next();
