// SPDX-License-Identifier: BSD-2-Clause
// Asks Perfetto's trace processor, headless: node tests/trace_processor.mjs FOLDER TRACE SQL…
// prints the rows of each query as one line of JSON. FOLDER is what tests/validators unpacked:
// the engine as WebAssembly, its glue for browsers and its protocol. The glue is made to run
// outside a browser by three small edits: 32-bit memory, the bytes given to it, the bridge shown.
import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { pathToFileURL } from 'node:url';

const [folder, trace, ...queries] = process.argv.slice(2);
const CHUNK = 32 << 20;

function glueForNode() {
  let source = fs.readFileSync(path.join(folder, 'engine_bundle.node.js'), 'utf8');
  const edits = [
    ['this.useMemory64 = hasMemory64Support();', 'this.useMemory64 = false;'],
    ['locateFile: (s) => s,', 'locateFile: (s) => s, wasmBinary: globalThis.engineBytes,'],
    ['const wasmBridge = new wasm_bridge_1.WasmBridge();', '$& globalThis.engineBridge = wasmBridge;'],
  ];
  for (const [from, to] of edits) {
    if (!source.includes(from)) throw new Error(`the glue has changed: no "${from}"`);
    source = source.replace(from, () => to.replace('$&', from));
  }
  return source;
}

function beLikeAWorker() {
  globalThis.self = globalThis;
  globalThis.WorkerGlobalScope = function WorkerGlobalScope() {};
  Object.defineProperty(globalThis, 'location', { value: { href: pathToFileURL(folder).href + '/' } });
  globalThis.engineBytes = new Uint8Array(fs.readFileSync(path.join(folder, 'trace_processor.wasm')));
}

async function openEngine() {
  const { EngineBase } = await import(pathToFileURL(path.resolve(folder, 'engine.mjs')).href);
  beLikeAWorker();
  vm.runInThisContext(glueForNode());
  class Engine extends EngineBase {
    mode = 'WASM';
    id = 'tests';
    constructor(port) {
      super();
      this.port = port;
      port.onmessage = (message) => message.data instanceof Uint8Array && this.onRpcResponseBytes(message.data);
    }
    rpcSendRequestBytes(bytes) { this.port.postMessage(bytes); }
  }
  const { port1, port2 } = new MessageChannel();
  const engine = new Engine(port2);
  globalThis.engineBridge.initialize(port1);
  return engine;
}

function rowsOf(result) {
  if (result.error()) throw new Error(result.error());
  const columns = result.columns(), rows = [];
  for (const at = result.iter({}); at.valid(); at.next())
    rows.push(Object.fromEntries(columns.map((name) => {
      const value = at.get(name);
      return [name, typeof value === 'bigint' ? Number(value) : value];
    })));
  return rows;
}

console.warn = () => {}; // of fields that its protocol does not know
const engine = await openEngine();
const bytes = new Uint8Array(fs.readFileSync(trace));
for (let at = 0; at < bytes.length; at += CHUNK) await engine.parse(bytes.subarray(at, at + CHUNK));
await engine.notifyEof();
for (const query of queries) console.log(JSON.stringify(rowsOf(await engine.query(query))));
process.exit(0);
