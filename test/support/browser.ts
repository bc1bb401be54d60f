/** Pages of another origin, in a real browser. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { chromium, type Page } from 'playwright-core';
import { ROOT } from './app';

/** A web server on its own port that serves the official client and an empty page. */
export async function servePage(t: TestContext, version: 2 | 4 = 4): Promise<number> {
  const bundle = await readFile(
    join(ROOT, 'node_modules', version === 4 ? 'socket.io-client/dist/socket.io.js' : 'socket.io-client-2/dist/socket.io.js'),
  );
  const server = createServer((request, response) => {
    const isBundle = request.url === '/socket.io.js';
    response.setHeader('content-type', isBundle ? 'text/javascript' : 'text/html');
    response.end(isBundle ? bundle : '<!doctype html><script src="/socket.io.js"></script>');
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // it listens on TCP
}

export async function openBrowser(t: TestContext): Promise<Page> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--headless',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  t.after(() => browser.close());
  return browser.newPage();
}

/** Runs in the page. */
export function askInPage({
  server,
  ...options
}: {
  transports: string[];
  server: string;
  withCredentials: boolean | undefined;
}): Promise<unknown> {
  const io = Reflect.get(globalThis, 'io') as (
    url: string,
    options: object,
  ) => {
    on(event: string, listener: (value: Error) => void): void;
    emit(event: string, answer: (value: unknown) => void): void;
    disconnect(): void;
  };
  return new Promise(resolve => {
    const client = io(server, { ...options, reconnection: false, forceNew: true });
    client.on('connect', () =>
      client.emit('whoAmI', answer => {
        client.disconnect();
        resolve(answer);
      }),
    );
    client.on('connect_error', error => resolve(`refused: ${error.message}`));
  });
}
