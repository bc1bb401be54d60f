/** Opens the clients of a test, with the events and the sessions that they have. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Socket as ServerSocket } from 'socket.io';
import type * as OfficialClient from 'socket.io-client';
import type { ManagerOptions, SocketOptions } from 'socket.io-client';
import type { Contract } from '../contract/contract';
import type { Declared, KnownName } from '../events';
import { endLater } from './lifetimes';
import { TestClient } from './test-client';

/** Options of the official client, and: */
export interface IoClientOptions extends Partial<ManagerOptions & SocketOptions> {
  /** What the client has in its HTTP session, as after a login. Needs the env `unittest`. Default: no session. */
  session?: Readonly<Record<string, unknown>>;
  /** The namespace, if a contract is for a pattern of names. Default: that of the contract. */
  namespace?: string;
}

/** Opens clients. Resolves when the server has let the client in or refused it: see `refused`. */
export interface OpenClient {
  /**
   * @param namespace default: `/`
   * @returns the client, which is disconnected at the end of the test
   * @throws Error if the server cannot be reached
   */
  <Name extends string = '/'>(namespace?: KnownName<Name>, options?: IoClientOptions): Promise<TestClient<Declared<Name>>>;
  /** The same with the events of a contract. */
  <C extends Contract>(contract: C, options?: IoClientOptions): Promise<TestClient<C>>;
}

/** A server, and what can be done with it from here. */
export interface Reached {
  readonly url: string;
  readonly cookieOf: (session: Readonly<Record<string, unknown>>) => Promise<string>;
  /** The server's side of a client. Undefined if it is in other processes. */
  readonly socketOf: ((namespace: string, id: string) => ServerSocket | undefined) | undefined;
}

/** @param from with the folder of the app, which may have the official client, and the time in ms that a client waits */
export function openerOf({ url, cookieOf, socketOf, baseDir, timeout }: Reached & { baseDir: string; timeout: number }): OpenClient {
  return async (source: string | Contract = '/', { session, ...given }: IoClientOptions = {}): Promise<TestClient> => {
    const { namespace: name = typeof source === 'string' ? source : source.namespace, ...rest } = given;
    const namespace = name.startsWith('/') ? name : `/${name}`;
    const { io: connect } = clientOf(baseDir);
    const cookie = session && (await cookieOf(session));
    const extraHeaders = { ...rest.extraHeaders, ...(cookie !== undefined && { cookie: joined(rest.extraHeaders?.['cookie'], cookie) }) };
    const settings = { forceNew: true, reconnection: false, transports: ['websocket'], ...rest, extraHeaders };
    const socket = connect(url + namespace, settings);
    const atServer = socketOf && (() => socketOf(namespace.replace(/\?.*/, ''), socket.id ?? ''));
    const client = new TestClient(socket, { timeout, socketOf: atServer });
    endLater(async () => end(client, atServer?.()));
    await client.settle();
    return client;
  };
}

/** Resolves when the server has noticed, if that can be seen here. */
async function end(client: TestClient, atServer: ServerSocket | undefined): Promise<void> {
  const hasGone = atServer?.connected === true && new Promise(resolve => atServer.once('disconnect', resolve));
  client.end();
  await hasGone;
}

/** The official client, as the app has it. */
function clientOf(baseDir: string): typeof OfficialClient {
  for (const from of [join(baseDir, 'package.json'), __filename]) {
    try {
      return createRequire(from)('socket.io-client') as typeof OfficialClient;
    } catch {
      // not there
    }
  }
  throw new Error('the package socket.io-client is missing: npm install --save-dev socket.io-client');
}

function joined(...cookies: (string | string[] | undefined)[]): string {
  return cookies
    .flat()
    .filter(cookie => cookie !== undefined && cookie !== '')
    .join('; ');
}
