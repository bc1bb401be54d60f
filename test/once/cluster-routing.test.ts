/** Session routing in whole clusters, where Egg has no part in it. What Egg has a part in is in test/session-routing.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import type { Socket as TcpSocket } from 'node:net';
import { test } from 'node:test';
import WebSocket from 'ws';
import type { Files } from '../support/app';
import { ask, connect } from '../support/client';
import { runFoldersOf, shareCluster, startCluster } from '../support/cluster';
import { openPolling } from '../support/raw';
import { until } from '../support/until';

const FILES: Files = {
  'app/io/controller/home.js': `
    exports.who = async ctx => {
      const carrier = ctx.socket.conn.transport.socket?._socket;
      return { worker: String(require('node:cluster').worker.id), isPiped: carrier?._handle?.constructor.name === 'Pipe' };
    };
    exports.flood = async ctx => { for (let n = 0; n < 20; n++) ctx.socket.emit('flood', 'x'.repeat(1_000_000)); };`,
  'app/router.js': `
    module.exports = app => {
      const { who, flood } = app.io.controller.home;
      app.io.route('who', who);
      app.io.route('flood', flood);
    };`,
};

interface Who {
  worker: string;
  isPiped: boolean;
}

const shared = shareCluster(
  { ...FILES, 'config/config.default.js': `let n = 0; exports.io = { generateId: async () => \`\${process.pid}/\${++n}\` };` },
  async () => ({ workers: 2 }),
);

test('an id of the app’s own has its worker before it where it is the key to the session', async t => {
  const { url } = await shared();
  for (const version of [2, 4] as const) {
    for (let n = 0; n < 3; n++) {
      const client = await connect(t, url, { transports: ['polling'] }, version);
      const { worker } = (await ask(client, 'who')) as Who;
      if (version === 4) assert.match(client.id ?? '', /^\d+\/\d+$/);
      else assert.match(client.id ?? '', new RegExp(`^${worker}\\.\\d+/\\d+$`));
      assert.equal(client.io.engine.id?.split('.')[0], worker);
    }
  }
});

test('a run folder that somebody has removed ends no worker, and is named in the log', async t => {
  const { url, baseDir, log, printed, terminate } = await shared(); // for the last time
  const [path = assert.fail('there is no folder')] = runFoldersOf(baseDir);
  rmSync(path, { recursive: true });
  await until(t, async () => {
    await openPolling(url);
    return (await log()).includes(`${path} has been removed`);
  });
  await connect(t, url, { transports: ['websocket'] });
  assert.doesNotMatch(await log(), /nodejs\.ENOENTError/);
  assert.equal(await terminate(), 0);
  assert.equal([...printed().matchAll(/\[app_worker\] beforeExit success/g)].length, 2);
});

test('a function that the app gives to the engine, as Engine.IO documents it, makes the part after the worker’s name', async t => {
  const app = `
    module.exports = class {
      constructor(app) { this.app = app; }
      serverDidReady() { let n = 0; this.app.io.engine.generateId = () => 'own-' + ++n; }
    };`;
  const { url } = await startCluster(t, { ...FILES, 'app.js': app }, { workers: 2 });
  for (let n = 0; n < 3; n++) {
    const client = await connect(t, url, { transports: ['polling'] });
    const { worker } = (await ask(client, 'who')) as Who;
    assert.match(client.io.engine.id ?? '', new RegExp(`^${worker}\\.own-\\d$`));
  }
});

test('a client that stops reading is let go by the worker that pipes its WebSocket, once its owner has given it up', async t => {
  const config = 'exports.io = { init: { pingInterval: 300, pingTimeout: 300 } };';
  const { url } = await startCluster(t, { ...FILES, 'config/config.default.js': config }, { workers: 2 });
  for (let isPiped = false; !isPiped;) {
    const polling = await openPolling(url);
    await fetch(polling, { method: 'POST', body: '40' });
    await fetch(polling);
    const webSocket = new WebSocket(polling.replace('http', 'ws').replace('polling', 'websocket'));
    t.after(() => webSocket.terminate());
    const answerTo = async (frame: string, beginning: string): Promise<string> => {
      webSocket.send(frame);
      for (;;) {
        const [data] = (await once(webSocket, 'message')) as [Buffer];
        if (data.toString().startsWith(beginning)) return data.toString();
      }
    };
    await once(webSocket, 'open');
    await answerTo('2probe', '3probe');
    webSocket.send('5');
    const [who] = JSON.parse((await answerTo('421["who"]', '431')).slice(3)) as [Who];
    isPiped = who.isPiped;
    if (!isPiped) continue;
    const tcp = Reflect.get(webSocket, '_socket') as TcpSocket; // of ws, which has no other way to it
    webSocket.send('42["flood"]');
    webSocket.pause();
    await until(t, () => !isHeld(tcp));
  }
});

/** Whether a process still has the other end of a connection, as Linux lists it. */
function isHeld({ localPort = 0, remotePort = 0 }: TcpSocket): boolean {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .find(([, local, remote]) => local?.endsWith(`:${hex(remotePort)}`) && remote?.endsWith(`:${hex(localPort)}`));
  return line !== undefined && line[9] !== '0'; // its inode
}
