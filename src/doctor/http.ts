/** Requests and WebSockets of a client of Socket.IO, by hand: what a proxy answers can be read, which clients keep to themselves. */
import { type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { WebSocket } from 'ws';
import { toError } from '../thrown';

/** Time in ms for an answer. */
const TIMEOUT = 10_000;

/** The longest answer that is looked at, in characters. */
const LONGEST = 10_000;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Over a TCP connection of its own, as that of another client is. Rejects if there is no answer. @param body of a POST; without, it is a GET */
export async function ask(url: URL, headers: Record<string, string>, body?: string): Promise<Answer> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const type = body === undefined ? {} : { 'content-type': 'text/plain;charset=UTF-8' };
    const sent = request(url, { method, agent: false, headers: { ...headers, ...type }, timeout: TIMEOUT }, response => {
      read(response).then(resolve, reject);
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${TIMEOUT / 1000} s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What came over a WebSocket first, or what was answered in its place. */
export type Opened = { readonly message: string } | { readonly answer: Answer } | { readonly error: Error };

/** Opens a WebSocket, sends a text if there is one, and closes it after the first message. Never rejects. */
export async function openWebSocket(url: URL, headers: Record<string, string>, text?: string): Promise<Opened> {
  const target = new URL(url);
  target.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const webSocket = new WebSocket(target, { headers });
  const timer = setTimeout(() => webSocket.emit('error', new Error(`no message in ${TIMEOUT / 1000} s`)), TIMEOUT);
  try {
    return await new Promise<Opened>(resolve => {
      webSocket.on('open', () => text !== undefined && webSocket.send(text));
      webSocket.on('message', data => resolve({ message: (data as Buffer).toString() })); // one buffer by default
      webSocket.on('close', code => resolve({ error: new Error(`it was closed with ${code}`) }));
      webSocket.on('error', error => resolve({ error: toError(error) }));
      webSocket.on('unexpected-response', (_request, response) => {
        read(response).then(
          answer => resolve({ answer }),
          (error: unknown) => resolve({ error: toError(error) }),
        );
      });
    });
  } finally {
    clearTimeout(timer);
    webSocket.terminate();
  }
}

/** Rejects if the connection breaks. */
async function read(response: IncomingMessage): Promise<Answer> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > LONGEST) break; // which ends the connection
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body };
}
