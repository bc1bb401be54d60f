/** The method, the URL, the headers and the client of a request that another worker passes on. */
import type { IncomingMessage } from 'node:http';
import type { RawHeaders } from './headers';
import type { Peer } from './peer';

export interface LinkedHead extends Peer {
  readonly method: string;
  readonly url: string;
  readonly hasBody: boolean;
  readonly rawHeaders: string[];
}

/** Headers that Node takes once: the first one counts. https://nodejs.org/api/http.html#messageheaders */
const ONCE: ReadonlySet<string> = new Set([
  ...[
    'age',
    'authorization',
    'content-length',
    'content-type',
    'etag',
    'expires',
    'from',
    'host',
    'if-modified-since',
    'if-unmodified-since',
  ],
  ...['last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after', 'server', 'user-agent'],
]);

/** A text in latin1. Node's parser guarantees that nothing in it contains a line end. */
export function encodeHead({ method, url, rawHeaders }: IncomingMessage, { address, port, isSecure }: Peer, hasBody: boolean): string {
  return [method, url, hasBody ? 1 : '', address, port, isSecure ? 1 : '', ...rawHeaders].join('\n');
}

export function decodeHead(content: Buffer): LinkedHead {
  const [method = '', url = '', hasBody, address, port, isSecure, ...rawHeaders] = content.toString('latin1').split('\n');
  const peer = { address: address || undefined, port: port ? Number(port) : undefined, isSecure: isSecure === '1' };
  return { method, url, hasBody: hasBody === '1', rawHeaders, ...peer };
}

/** The headers as Node shows them. */
export function headersOf(rawHeaders: RawHeaders): NodeJS.Dict<string | string[]> {
  const headers: NodeJS.Dict<string | string[]> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = [rawHeaders[index]?.toLowerCase(), rawHeaders[index + 1]];
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined; // a client may send any name, such as `constructor`
    if (name === 'set-cookie') headers[name] = Array.isArray(before) ? [...before, value] : [value];
    else if (before === undefined) headers[name] = value;
    else if (!ONCE.has(name)) headers[name] = [before, value].join(name === 'cookie' ? '; ' : ', ');
  }
  return headers;
}
