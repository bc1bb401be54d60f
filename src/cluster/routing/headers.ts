/** Headers of the upgrades and answers that workers pass to each other. */
import type { IncomingMessage } from 'node:http';

/** Headers in Node's raw form: name, value, name, value. */
export type RawHeaders = readonly string[];

/**
 * A header between workers. In an upgrade that is piped to the owner: the secret, and the client's address, which the connection between workers
 * hides. In an answer: the number of sessions that the owner holds. It is removed from upgrades of clients and from answers to them.
 */
export const PEER_HEADER = 'x-egg-socket.io-peer';

/** These belong to one connection, and are not forwarded: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect'];

const NOT_OF_ANSWERS: ReadonlySet<string> = new Set([PEER_HEADER, ...HOP_BY_HOP, 'transfer-encoding']);
/** An upgrade keeps its `Connection` and `Upgrade`. */
const NOT_OF_UPGRADES: ReadonlySet<string> = new Set([PEER_HEADER]);

export function upgradeHeaders({ rawHeaders }: IncomingMessage, peer: string): string[] {
  return [PEER_HEADER, peer, ...without(NOT_OF_UPGRADES, rawHeaders)];
}

export function answerHeaders(headers: RawHeaders): string[] {
  return without(NOT_OF_ANSWERS, headers);
}

/** The number of sessions that the worker with this answer holds. */
export function sessionsIn(headers: RawHeaders): number {
  return Number(headers[headers.indexOf(PEER_HEADER) + 1]);
}

/** The first line and the headers of a request, to be sent in latin1. Node's parser guarantees that they contain no line ends. */
export function headOf({ method, url }: IncomingMessage, headers: RawHeaders): string {
  let head = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

function without(dropped: ReadonlySet<string>, headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]];
    if (!dropped.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}
