// Calls through every kind of function; the last prints where each of them is, and blocks. argv[2]: ms to warm up.
'use strict';
Error.stackTraceLimit = 100;
Error.prepareStackTrace = (error, calls) => calls.map((call) =>
  [call.getFunctionName() || '(anonymous)', call.getFileName() || call.getScriptNameOrSourceURL() || call.getEvalOrigin() || '', call.getLineNumber(), call.getColumnNumber()]);

// the chain goes through a builtin here and through a value that changes, so that optimised code stays what it is when this blocks
const state = { warm: Infinity };
function stop(a, b) {
  if (Date.now() < state.warm) return a - b;
  const stack = new Error().stack;
  require('fs').writeFileSync(process.argv[3], JSON.stringify(stack.slice(1)));
  const end = Date.now() + 400;
  let sum = 0;
  while (Date.now() < end) sum += Math.sqrt(sum + 1);
  return sum;
}
function last() { return [2, 1].sort(stop)[0]; }

class Base {
  constructor(next) { this.made = next(); }
  static make(next) { return new this(next); }
}
class Derived extends Base {
  #secret(next) { return next(); }
  get value() { return this.#secret(() => last()); }
  open() {
    const self = this;
    return self.value;
  }
  static #hidden(object) { return object.open() + 1; }
  static show(object) { return Derived.#hidden(object); }
  field = () => Derived.show(this);
}
const table = {
  method(object) { return object.field(); },
  arrow: (object) => table.method(object),
  named: function inner(object) { return table.arrow(object); },
};
function small(a) { return table.named(a); }
function middle(a) {
  return small(a) +
    1;
}
const curry = (a) => (b) => (c) => middle(a) + b + c;
function* numbers(a) { yield curry(a)(1)(2); }
function sorted(a) {
  return [3, 1].sort((x, y) => x - y + [...numbers(a)][0])[0];
}
function mapped(a) { return [1].map(() => sorted(a))[0]; }
function replaced(a) { return 'x'.replace(/x/, () => String(mapped(a))); }
function caught(a) {
  try { return replaced(a); } finally { a.done = true; }
}
const bound = caught.bind(null);
function applied(a) { return Reflect.apply(bound, null, [a]); }
const proxy = new Proxy(applied, { apply(target, self, list) { return target(...list); } });
function deep(a, n) { return n ? deep(a, n - 1) : proxy(a); }
function evaluated(a) {
  return eval('(function inside() {\n return eval("deep(a, 3)"); })()');
}
const made = new Function('next', 'object', 'return next(object)');
const named = eval('(function fromBundle(a) { return made(evaluated, a); })\n//# sourceURL=webpack:///./app.js');
function round() {
  state.warm = Infinity - state.warm ? Infinity : Number.MAX_VALUE;
  named(object);
}

// quiet while warming up: stop() returns at once, and what is hot gets compiled
const object = Base.make.call(Derived, () => 1);
const cold = Date.now() + Number(process.argv[2] || 0);
while (Date.now() < cold) round();
setTimeout(() => {
  console.log('ready');
  setTimeout(function timer() { state.warm = 0; named(object); setInterval(() => {}, 1000); }, 1500);
}, 1);
