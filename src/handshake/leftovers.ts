/**
 * What a connection keeps of its handshake for as long as it lasts: the request, without what Engine.IO does not use any more. Texts that are
 * the same for many clients are kept once.
 */
import type { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { forgetResponses, forgetUpgrade } from '../internals/engine-io';

/** Headers whose values many clients have in common. Values of all others may be secrets, which must not outlive their connection. */
const COMMON_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'connection',
  'host',
  'origin',
  'pragma',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-websocket-extensions',
  'sec-websocket-version',
  'upgrade',
  'user-agent',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
]);

/** A URL with nothing but what each client sends. */
const COMMON_URL = /\?EIO=\d&transport=\w+$/;

const MAX_TEXTS = 1000;
const MAX_LENGTH = 300;

/** To be called for an engine before it has connections. */
export function trimHandshakes(engine: EngineServer): void {
  const texts = new SharedTexts();
  forgetResponses(engine);
  engine.on('connection', (connection: EngineSocket) => {
    const request = connection.request as IncomingMessage | null; // null with WebTransport
    forgetUpgrade(connection);
    if (request) texts.shareIn(request);
  });
}

/** Equal texts of many requests, each kept once. */
class SharedTexts {
  readonly #texts = new Map<string, string>();

  /** Replaces texts by equal ones of earlier requests. */
  shareIn(request: IncomingMessage): void {
    const { headers, rawHeaders, url } = request;
    if (url !== undefined && COMMON_URL.test(url)) request.url = this.#share(url);
    request.httpVersion = this.#share(request.httpVersion);
    for (const name in headers) {
      const value = headers[name];
      if (typeof value === 'string' && COMMON_HEADERS.has(name)) headers[name] = this.#share(value);
    }
    for (const [i, text] of rawHeaders.entries()) rawHeaders[i] = i % 2 === 0 ? this.#share(text) : (this.#texts.get(text) ?? text); // names and values in turn
  }

  #share(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined || text.length > MAX_LENGTH) return known ?? text;
    if (this.#texts.size === MAX_TEXTS) this.#texts.clear(); // a client may make up any number
    this.#texts.set(text, text);
    return text;
  }
}
