/** Requests to the admin page, with any headers, as a browser would never send them. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface AdminAnswer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What the page gets. */
export interface State {
  readonly processes: { worker: string; connections: number; counts: Record<'events' | 'errors' | 'connections', number> }[];
  readonly namespaces: { entries: [string, number][] };
  readonly sockets: { entries: { id: string; user?: string; transport: string; process: string }[]; count: number };
  readonly rooms: { entries: [string, number][]; count: number };
  readonly users: { entries: [string, number][]; count: number };
  readonly shown?: { rooms: string[]; events: { number: number; event: string; isOutgoing: boolean; size?: number; outcome?: string }[] };
  readonly problem?: string;
}

export async function admin(url: string, path = '', headers: Record<string, string> = {}, body?: unknown): Promise<AdminAnswer> {
  const isPost = body !== undefined;
  const sent = request(`${url}/-/io${path}`, {
    method: isPost ? 'POST' : 'GET',
    headers: { ...(isPost && { 'content-type': 'application/json' }), ...headers },
  });
  sent.end(isPost ? JSON.stringify(body) : undefined);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

export async function stateOf(url: string, query: Record<string, string | number> = {}, headers?: Record<string, string>): Promise<State> {
  const fields = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const { status, body } = await admin(url, `/state?${new URLSearchParams(fields).toString()}`, headers);
  if (status !== 200) throw new Error(`${status}: ${body}`);
  return JSON.parse(body) as State;
}

/** Does what the page does for a button: with the token of the page, its cookie, and an Origin. */
export async function act(url: string, action: object, headers: Record<string, string> = {}): Promise<{ done?: string; problem?: string }> {
  const page = await admin(url, '', headers);
  const [, token = ''] = /name="token" content="([^"]*)"/.exec(page.body) ?? [];
  const cookie = (page.headers['set-cookie'] ?? []).map(one => one.split(';')[0]).join('; ');
  const all = { origin: url, 'x-csrf-token': token, ...headers, cookie: [headers.cookie, cookie].filter(Boolean).join('; ') };
  const { body } = await admin(url, '/act', all, action);
  return JSON.parse(body) as { done?: string; problem?: string };
}
