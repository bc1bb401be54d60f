/**
 * What a connection keeps of its handshake for as long as it lasts: the request, without what Engine.IO does not use any more. Texts that are
 * the same for many clients are kept once.
 */
import { IncomingMessage } from 'node:http';
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { forgetResponses, forgetUpgrade } from '../internals/engine-io';

/** Headers whose values many clients have in common, spelled as on the wire. */
const COMMON_HEADERS = bothCases(
  ...['Accept', 'Accept-Encoding', 'Accept-Language', 'Cache-Control', 'Connection', 'Host', 'Origin', 'Pragma', 'Upgrade', 'User-Agent'],
  ...['Sec-Ch-Ua', 'Sec-Ch-Ua-Mobile', 'Sec-Ch-Ua-Platform', 'Sec-Fetch-Dest', 'Sec-Fetch-Mode', 'Sec-Fetch-Site'],
  ...['Sec-WebSocket-Extensions', 'Sec-WebSocket-Version'],
  ...['X-Forwarded-Host', 'X-Forwarded-Port', 'X-Forwarded-Proto'],
);

/** Headers whose names are kept once, but not their values: those may be secrets, which must not outlive their connection. */
const OWN_HEADERS = bothCases('Authorization', 'Cookie', 'Forwarded', 'Referer', 'Sec-WebSocket-Key', 'X-Forwarded-For', 'X-Real-IP');

const HEADER_NAMES = new Map([...COMMON_HEADERS, ...OWN_HEADERS].map(name => [name, name]));

/** What each client sends, without a query of the app. */
const COMMON_QUERIES = ['3', '4'].flatMap(version => ['polling', 'websocket'].map(name => `?EIO=${version}&transport=${name}`));

const MAX_VALUES = 1000;
const MAX_LENGTH = 300;

/** To be called for an engine before it has connections. @param path that of the engine, without the slash at its end */
export function trimHandshakes(engine: EngineServer, path: string): void {
  const urls = new Map(COMMON_QUERIES.map(query => [`${path}/${query}`, `${path}/${query}`]));
  const values = new SharedTexts();
  forgetResponses(engine);
  engine.on('connection', (connection: EngineSocket) => {
    const { request } = connection;
    forgetUpgrade(connection);
    if (!(request instanceof IncomingMessage)) return; // another engine, or WebTransport
    const url = urls.get(request.url ?? '');
    if (url !== undefined) request.url = url;
    shareHeaders(request, values);
  });
}

/** Replaces names and values by equal ones of earlier requests. */
function shareHeaders({ headers, rawHeaders }: IncomingMessage, values: SharedTexts): void {
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string' && COMMON_HEADERS.has(name)) headers[name] = values.share(value);
  }
  // names and values in turn
  for (const [i, text] of rawHeaders.entries()) {
    if (i % 2 === 0) rawHeaders[i] = HEADER_NAMES.get(text) ?? text;
    else if (COMMON_HEADERS.has(rawHeaders[i - 1] ?? '')) rawHeaders[i] = values.share(text);
  }
}

/** Equal texts of many requests, each kept once. */
class SharedTexts {
  readonly #texts = new Map<string, string>();

  share(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined || text.length > MAX_LENGTH) return known ?? text;
    if (this.#texts.size === MAX_VALUES) this.#texts.clear(); // a client may make up any number
    this.#texts.set(text, text);
    return text;
  }
}

function bothCases(...names: string[]): ReadonlySet<string> {
  return new Set(names.flatMap(name => [name, name.toLowerCase()]));
}
