/** Clients that come back to another server than the one that they have left. */
import type { TestContext } from 'node:test';
import type { Server, Socket } from 'socket.io';
import type { AdapterServer } from './adapters';
import { type Client, newClient, next } from './client';
import { until } from './until';

/** A client as the official one is after a reconnect: with the private id and the last offset of the one before. */
export interface Visit {
  readonly client: Client;
  readonly socket: Socket;
  readonly heard: unknown[];
  /** What it sends when it comes back, if its network has vanished. */
  readonly auth?: object;
}

/** Whom a client that comes back says that it was: a client of before, or what it sends. */
type Former = Visit | { readonly auth: object; readonly heard: unknown[] };

export async function visit(t: TestContext, { io, url }: AdapterServer, former?: Former): Promise<Visit> {
  const arrival = next<[Socket]>(io, 'connection');
  const client = newClient(t, url, { auth: former ? authOf(former) : {} });
  const heard: unknown[] = former?.heard ?? [];
  client.on('said', (value: unknown) => heard.push(value));
  const connected = next(client, 'connect');
  const [socket] = await arrival;
  await connected;
  return { client, socket, heard };
}

export function authOf(former: Former): object {
  if (!('client' in former)) return former.auth;
  const { client, auth } = former;
  return auth ?? { pid: Reflect.get(client, '_pid') as unknown, offset: (Reflect.get(client, '_lastOffset') ?? '') as unknown }; // private
}

/** Whatever the client is sent from now on gets lost; its server is told nothing. Returns the client as it is now. */
export function vanish(visit: Visit): Visit {
  const auth = authOf(visit);
  visit.client.off('said');
  return { ...visit, auth };
}

export async function hears(t: TestContext, { heard }: Visit, count: number): Promise<void> {
  await until(t, () => heard.length >= count);
}

/** The server closes the connection; the client stays away. */
export async function lose({ client, socket }: Visit): Promise<void> {
  const left = next(socket, 'disconnect');
  client.io.reconnection(false);
  socket.conn.close();
  await left;
}

/** What this server has sent before has come by at all others. */
export async function flush(io: Server): Promise<void> {
  await io.fetchSockets();
}

/** Returns a list, to which what others answer to a kind of questions of a server is added. */
export function answersTo({ io }: AdapterServer, kind: string): unknown[] {
  const answers: unknown[] = [];
  const { adapter } = io.of('/');
  const ask = adapter.serverSideEmit.bind(adapter);
  adapter.serverSideEmit = args => {
    const [event, question, receive] = args as [string, { readonly kind?: unknown }?, ((...answer: unknown[]) => void)?];
    if (question?.kind !== kind || !receive) return ask(args);
    return ask([
      event,
      question,
      (...answer: unknown[]) => {
        answers.push(answer);
        receive(...answer);
      },
    ]);
  };
  return answers;
}
