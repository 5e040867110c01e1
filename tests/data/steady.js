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

// each with a loop of its own, for it is the innermost function that a stall is named after
const noises = [
  function parse() { for (const end = Date.now() + 40 + Math.random() * 40; Date.now() < end; sum++); },
  function render() { for (const end = Date.now() + 30 + Math.random() * 60; Date.now() < end; sum++); },
  function collect() { for (const end = Date.now() + 60 + Math.random() * 30; Date.now() < end; sum++); },
];

function oneMore() {
  for (const end = Date.now() + 120; Date.now() < end; sum++); // sin: oneMore
}

function next() {
  compute(work);
  if (process.env.NOISE && Math.random() < 0.06)
    noises[turn % noises.length]();
  if (process.env.ONE && turn === turns >> 1)
    oneMore();
  if (file && turn % 100 === 50)
    sum += readSettings();
  if (++turn < turns)
    setTimeout(next, 2);
}

next();
