/** Real clients of the official library, of each major version. All are closed when the test ends. */
import { type TestContext } from 'node:test';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { waitFor } from './waits';

export type Client = Socket;
export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

export type ClientVersion = 2 | 3 | 4;

export function ioOf(version: ClientVersion): typeof io {
  return version === 4 ? io : (require(`socket.io-client-${version}`) as typeof io); // the same call in all versions
}

/** A client that has begun to connect. It does not reconnect unless told. */
export function newClient(t: TestContext, url: string, options: ClientOptions = {}, version: ClientVersion = 4): Client {
  const client = ioOf(version)(url, { forceNew: true, reconnection: false, transports: ['websocket'], ...options });
  t.after(() => void client.disconnect());
  return client;
}

/** A client that has connected. Rejects if it is refused. */
export async function connect(t: TestContext, url: string, options: ClientOptions = {}, version: ClientVersion = 4): Promise<Client> {
  const client = newClient(t, url, options, version);
  await new Promise<void>((resolve, reject) => {
    client.once('connect', resolve);
    client.once('connect_error', reject);
    client.once('error', (error: unknown) => reject(error instanceof Error ? error : new Error(String(error)))); // how protocol 3 refuses
  });
  return client;
}

/** What a refused client is told. Rejects if it gets in. */
export async function refusal(client: Client): Promise<Error & { data?: unknown }> {
  return new Promise((resolve, reject) => {
    client.once('connect_error', resolve);
    client.once('connect', () => reject(new Error('the client was let in')));
  });
}

/**
 * Asks for a namespace beside one that is open, with this `auth`, and resolves with what the client is told that is refused.
 * What fails for now is told, too, then: else the connection would be closed.
 */
export function refusalsBeside(main: Client, path: string): (auth: Record<string, unknown>) => Promise<Error & { data?: unknown }> {
  let client: Client | undefined;
  return async auth => {
    if (client) Object.assign(client, { auth }).connect();
    else client = main.io.socket(path, { auth }); // connects
    return refusal(client);
  };
}

/** The arguments of the next event of this name. */
export async function next<Args extends unknown[] = unknown[]>(
  emitter: { once(event: string, listener: (...args: unknown[]) => void): unknown },
  event: string,
): Promise<Args> {
  return new Promise(resolve => {
    const end = waitFor(`the event '${event}'`);
    emitter.once(event, (...args: unknown[]) => {
      end();
      resolve(args as Args);
    });
  });
}

/** The acknowledgement of an event, of every version of the client. */
export async function ask(client: Client, event: string, ...args: unknown[]): Promise<unknown> {
  const end = waitFor(`the acknowledgement of '${event}'`);
  return new Promise(resolve => {
    client.emit(event, ...args, (answer: unknown) => {
      end();
      resolve(answer);
    });
  });
}
