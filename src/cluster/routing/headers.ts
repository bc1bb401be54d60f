/** Headers of the requests, upgrades and answers that workers pass to each other. */
import type { IncomingMessage } from 'node:http';

/** Headers as Node has them raw: name, value, name, value. */
export type RawHeaders = readonly string[];

/**
 * In a request to the owner: the secret, and what the connection between workers does not show of the client. In an answer: how many sessions
 * the owner holds. It is dropped from what comes from clients and from what goes to them.
 */
export const PEER_HEADER = 'x-egg-socket.io-peer';

/** These belong to one connection, and are not forwarded: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade', 'expect'];

const NOT_OF_REQUESTS: ReadonlySet<string> = new Set([PEER_HEADER, ...HOP_BY_HOP, 'content-length', 'transfer-encoding']);
const NOT_OF_ANSWERS: ReadonlySet<string> = new Set([PEER_HEADER, ...HOP_BY_HOP, 'transfer-encoding']);
/** An upgrade keeps its `Connection` and `Upgrade`. */
const NOT_OF_UPGRADES: ReadonlySet<string> = new Set([PEER_HEADER]);

/** Those of a request, without what says how long its body is. */
export function requestHeaders({ rawHeaders }: IncomingMessage, peer: string): string[] {
  return [PEER_HEADER, peer, ...without(NOT_OF_REQUESTS, rawHeaders)];
}

export function upgradeHeaders({ rawHeaders }: IncomingMessage, peer: string): string[] {
  return [PEER_HEADER, peer, ...without(NOT_OF_UPGRADES, rawHeaders)];
}

export function answerHeaders(headers: RawHeaders): string[] {
  return without(NOT_OF_ANSWERS, headers);
}

/** How many sessions the worker holds that has sent this answer. */
export function sessionsIn(headers: RawHeaders): number {
  return Number(headers[headers.indexOf(PEER_HEADER) + 1]);
}

/** The first line and the headers of a request, to be sent in latin1. Node has parsed them, even its lenient parser takes no line end in them. */
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
