// Calls through every kind of function; the last prints where each of them is, and blocks. argv[2]: ms to warm up.
// argv[4] "moved": first in native code that has its own use for the frame pointer and makes no garbage, then making much;
// "many": with functions, too, of which there are many of one kind: inlined they have no names of their own that could be read.
'use strict';
Error.stackTraceLimit = 100;
Error.prepareStackTrace = (error, calls) => calls.map((call) =>
  [call.getFunctionName() || '(anonymous)', call.getFileName() || call.getScriptNameOrSourceURL() || call.getEvalOrigin() || '', call.getLineNumber(), call.getColumnNumber()]);

// the chain goes through a builtin here and through a value that changes, so that optimised code stays what it is when this blocks
const state = { warm: Infinity };
function hash() {
  const bytes = Buffer.alloc(1 << 20), sha1 = require('crypto').createHash('sha1');
  for (const end = performance.now() + 150; performance.now() < end;) sha1.update(bytes);
}
function stop(a, b) {
  if (Date.now() < state.warm) return a - b;
  const stack = new Error().stack;
  require('fs').writeFileSync(process.argv[3], JSON.stringify(stack.slice(1)));
  const end = Date.now() + 400;
  if (process.argv[4] === 'moved') hash();
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
// names that are computed, of symbols, or defined later
const key = (name) => 'x' + name;
const computed = {
  [key(1)](a) { return table.named(a); },
  [Symbol('two')](a) { return computed.x1(a); },
  [key(3)]: (a) => computed[Object.getOwnPropertySymbols(computed)[0]](a),
  get [key(4)]() { return computed.x3(computed.held); },
  async [key(5)](a) { computed.held = a; return computed.x4; },
  *[key(6)](a) { yield computed.x5(a); },
};
const twins = ['left', 'right'].map((side) => ({ [side](a, next) { return next ? next(a) : [...computed.x6(a)][0]; } }));
class Keyed {
  static [key('Static')](a) { return twins[0].left(a, (b) => twins[1].right(b)); }
  [key('Method')](a) { return Keyed.xStatic(a); }
  [key('Field')] = (a) => this.xMethod(a);
  static [key('Arrow')] = (a) => keyed.xField(a);
  ['get' + 'Both'] = function (a) { return Keyed.xArrow(a); };
}
const keyed = new Keyed();
function renamed(a) { return keyed.getBoth(a); }
Object.defineProperty(renamed, 'name', { value: 'called otherwise' });
const further = Object.assign(function () { return renamed(this.held); }, { a: 1, b: 2, c: 3 });
Object.defineProperty(further, 'name', { value: 'further out' });
Object.defineProperty(mute, 'name', { value: 7 });
function mute(a) { computed.held = a; return further.call(computed); }
const many = process.argv[4] === 'many';
function small(a) { return many ? mute(a) : [...computed.x6(a)][0]; }
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
// functions settle: what is young moves, and its own name cannot be read then
const junk = JSON.stringify(Array.from({ length: 20000 }, (_, i) => ({ i })));
for (let i = 0; i < 60; i++) JSON.parse(junk);
setTimeout(() => {
  console.log('ready');
  setTimeout(function timer() { state.warm = 0; named(object); setInterval(() => {}, 1000); }, 1500);
}, 1);
