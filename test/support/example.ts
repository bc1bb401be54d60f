/** Starts the example as people do: by the script of `npm start`, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { ROOT } from './app';

export interface StartProcess {
  readonly child: ChildProcess;
  /** All that it has printed until it ends. */
  readonly output: Promise<string>;
  /** Resolves with the address that it prints when it listens. Rejects if it ends before. */
  readonly url: Promise<string>;
}

/** Runs the script. It is ended, and waited for, when the test ends. */
export function npmStart(t: TestContext, port: number): StartProcess {
  const child = spawn(process.execPath, ['scripts/start.mjs', '--port', String(port)], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill();
    await once(child, 'exit');
  });
  let printed = '';
  const output = Promise.all(
    [child.stdout, child.stderr].map(async stream => {
      for await (const chunk of stream.setEncoding('utf8')) printed += chunk as string; // the encoding makes it one
    }),
  ).then(() => printed);
  const url = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', line => {
      const [address] = /http:\/\/\S+/.exec(line) ?? [];
      if (address) resolve(address);
    });
    child.once('exit', () => void output.then(text => reject(new Error(`it has ended: ${text}`))));
  });
  return { child, output, url };
}

/** A port that nothing listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // it listens on TCP
  server.close();
  await once(server, 'close');
  return port;
}
