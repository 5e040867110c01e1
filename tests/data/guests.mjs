// SPDX-License-Identifier: BSD-2-Clause
// Blocks its loop in code that is not JavaScript: WebAssembly, and an addon whose path is the argument.
import { createRequire } from 'node:module';

// (func (export "spin") (param i32) (result i32)): adds up the numbers down to zero
const code = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, 3, 2, 1, 0, 7, 8, 1, 4, 0x73, 0x70, 0x69,
  0x6e, 0, 0, 10, 0x1b, 1, 0x19, 1, 1, 0x7f, 3, 0x40, 0x20, 1, 0x20, 0, 0x6a, 0x21, 1, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d,
  0, 0x0b, 0x20, 1, 0x0b];
const { spin } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(code))).exports;
const addon = process.argv[2] ? createRequire(import.meta.url)(process.argv[2]) : null;
const now = () => Number(process.hrtime.bigint()) / 1e6;

export class Guests {
  static runModule() {
    for (const end = now() + 250; now() < end;) spin(20000000); // wasm
  }
  static callAddon() {
    addon.work(); // addon
  }
}
let turn = 0;
setInterval(() => (turn++ % 2 && addon ? Guests.callAddon() : Guests.runModule()), 500);
console.log('ready');
