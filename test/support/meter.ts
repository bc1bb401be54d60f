/** A server in a process of its own, with meters: what a packet costs it in promises, garbage, writes and memory. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Files, hostFolder, removeApp, writeApp } from './app';
import { ask, type Client, connect } from './client';
import { RawClient } from './raw';

/** All since the server has started. */
export interface Reading {
  /** Promises made; they are counted from the first reading on that asks for it. */
  readonly promises: number;
  /** Promises that have not been collected. Counted on request, 0 otherwise. */
  readonly livingPromises: number;
  /** Times that Node has handed something to the system, to send it to a client. */
  readonly writes: number;
  /** Bytes in use. Nothing is collected between two readings, so that they differ by all that was made meanwhile. */
  readonly heap: number;
}

export class MeteredServer {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, url: string) {
    this.#process = process;
    this.url = url;
  }

  /** An app, in production; or, without files, Socket.IO alone, with the events `note`, which it ignores, `echo`, and `shout`, which it broadcasts. */
  static async start(t: TestContext, files?: Files): Promise<MeteredServer> {
    const baseDir = files && (await writeApp(files));
    const child = fork(join(__dirname, 'metered-server.js'), baseDir ? [baseDir, join(hostFolder(), 'node_modules/egg')] : [], {
      // room for all that is made between two readings
      execArgv: ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'],
      env: { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'], // egg says on the console that it starts
    });
    const ended = once(child, 'exit');
    t.after(async () => {
      child.kill();
      await ended;
      if (baseDir) await removeApp(baseDir);
    });
    const [url] = (await Promise.race([
      once(child, 'message'),
      ended.then(() => {
        throw new Error('the server has not started');
      }),
    ])) as [string]; // what it sends first
    return new MeteredServer(child, url);
  }

  async read(...options: ('collect garbage' | 'count living promises' | 'count promises')[]): Promise<Reading> {
    this.#process.send(options);
    const [reading] = (await once(this.#process, 'message')) as [Reading]; // its answer
    return reading;
  }
}

/** Bytes that an event makes, and its answer: the median of a few samples. */
export async function garbageOf(t: TestContext, server: MeteredServer, namespace: string, event: string): Promise<number> {
  const client = await connect(t, server.url + namespace);
  const sendMany = async (): Promise<void> => {
    for (let burst = 0; burst < 10; burst++) await send(client, event, 99);
  };
  const samples: number[] = [];
  for (let warmUp = 0; warmUp < 3; warmUp++) await sendMany();
  while (samples.length < 5) {
    const before = await server.read('collect garbage');
    await sendMany();
    const after = await server.read();
    samples.push((after.heap - before.heap) / 1000);
  }
  client.disconnect();
  return samples.sort((a, b) => a - b)[2] ?? 0;
}

/** Sends so many events and one more, whose acknowledgement says that all have been handled. */
export async function send(client: Client, event: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    if (event === 'echo') client.emit('echo', n, () => {});
    else client.emit(event, n);
  }
  await ask(client, 'echo', 'all handled');
}

/** The median of a few samples, in some of which the server compiles functions. */
export async function memoryOf(
  t: TestContext,
  server: MeteredServer,
  namespace: string,
  headers?: Record<string, string>,
): Promise<number> {
  await connectMany(t, server, namespace, 50, headers); // so that what the first ones make for all does not count
  const samples: number[] = [];
  while (samples.length < 3) {
    const before = await server.read('collect garbage');
    await connectMany(t, server, namespace, 200, headers);
    const after = await server.read('collect garbage');
    samples.push((after.heap - before.heap) / 200);
  }
  return samples.sort((a, b) => a - b)[1] ?? 0;
}

export async function connectMany(
  t: TestContext,
  server: MeteredServer,
  namespace: string,
  count: number,
  headers?: Record<string, string>,
): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => connectByHand(t, server, namespace, headers)));
}

export async function connectByHand(
  t: TestContext,
  { url }: MeteredServer,
  namespace: string,
  headers?: Record<string, string>,
): Promise<RawClient> {
  const client = await RawClient.open(t, url, { ...(headers && { headers }) });
  client.send(namespace === '/' ? '40' : `40${namespace},`);
  await client.frame(/^40/);
  return client;
}
