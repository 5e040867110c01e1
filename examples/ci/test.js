// What `npm test` runs: asks the service a few hundred times and looks at the answers.
'use strict';
const assert = require('assert'), fs = require('fs'), http = require('http'), os = require('os'), path = require('path');
const { setTimeout: sleep } = require('timers/promises');
const { start } = require('./server.js');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'orders-')), file = path.join(folder, 'orders.csv');
const bytes = 48 << 20, requests = 240, pause = 4;
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

function ask(port, url) {
  return new Promise((resolve, reject) => {
    http.get({ port, path: url, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve(text));
    }).on('error', reject);
  });
}

async function main() {
  await fs.promises.writeFile(file, Buffer.alloc(bytes, 'order;customer;cents\n'));
  const server = start(file).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  for (let i = 0; i < requests; i++) {
    await sleep(pause);
    if (i % 40 === 20)
      assert.strictEqual(await ask(port, '/report'), String(bytes));
    else
      assert.strictEqual(JSON.parse(await ask(port, '/')).length, 40);
  }
  agent.destroy();
  server.close();
}

main().finally(() => fs.promises.rm(folder, { recursive: true })).then(() => console.log('ok'));
