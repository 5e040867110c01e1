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

// Each with a loop of its own, for it is the innermost function that a stall is named after, and of so many rounds, not
// of so much time: what the machine does meanwhile is none of theirs.
const noises = [
  function parse() { for (let i = 16e6 + Math.random() * 8e6 | 0; i > 0; i--) sum = (sum * 31 + i) % 1000003; },
  function render() { for (let i = 14e6 + Math.random() * 12e6 | 0; i > 0; i--) sum = (sum * 31 + i) % 1000003; },
  function collect() { for (let i = 18e6 + Math.random() * 6e6 | 0; i > 0; i--) sum = (sum * 31 + i) % 1000003; },
];

// On one line, for of a build without symbols the line of an optimised function is where it begins.
function oneMore() { for (let i = 24e6; i > 0; i--) sum = (sum * 31 + i) % 1000003; } // sin: oneMore

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
