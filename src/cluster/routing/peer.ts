/** Passes the client's address on with a request that is piped to the owner of its session. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { PEER_HEADER } from './headers';

/** The origin of a client's request. */
export interface Peer {
  address: string | undefined;
  port: number | undefined;
  isSecure: boolean;
}

const PEER = Symbol('peer');

/** No address ends like this. */
const LINK = 'link';

/** The origin of a request. */
export function clientOf({ socket }: IncomingMessage): Readonly<Peer> {
  return { address: socket.remoteAddress, port: socket.remotePort, isSecure: 'encrypted' in socket && socket.encrypted === true };
}

/** The value of PEER_HEADER for a client's request. */
export function describePeer(request: IncomingMessage, secret: string): string {
  const { address, port, isSecure } = clientOf(request);
  return [secret, isSecure ? 'tls' : 'tcp', port, address].join(' ');
}

/** The value of PEER_HEADER for a link, which has no client. */
export function linkPeer(secret: string): string {
  return [secret, LINK].join(' ');
}

/** Whether a request asks for a link. To be called before `restorePeer`. A client cannot say so: its own PEER_HEADER is not forwarded. */
export function isForLink({ headers }: IncomingMessage): boolean {
  return String(headers[PEER_HEADER]).endsWith(` ${LINK}`);
}

/** Makes a piped request look as if the client had sent it here. Returns false if the secret is wrong. */
export function restorePeer({ headers, rawHeaders, socket }: IncomingMessage, secret: string): boolean {
  const [sentSecret = '', protocol, port, address] = String(headers[PEER_HEADER]).split(' ');
  if (!isEqual(sentSecret, secret)) return false;
  delete headers[PEER_HEADER];
  rawHeaders.splice(rawHeaders.indexOf(PEER_HEADER), 2);
  const peer = (socket as Socket & { [PEER]?: Peer })[PEER] ?? definePeer(socket); // defined for the connection's first request
  peer.address = address;
  peer.port = port === '' ? undefined : Number(port); // a client of a Unix socket has none
  peer.isSecure = protocol === 'tls';
  return true;
}

/** Makes a connection between workers show the client of its latest request. */
function definePeer(socket: Socket): Peer {
  const peer: Peer = { address: undefined, port: undefined, isSecure: false };
  Object.defineProperties(socket, {
    [PEER]: { value: peer },
    remoteAddress: { get: () => peer.address },
    remotePort: { get: () => peer.port },
    encrypted: { get: () => peer.isSecure },
  });
  return peer;
}

function isEqual(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1')); // headers are decoded as latin1
}
