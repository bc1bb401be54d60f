/** Passes the client's address on with a request that is piped to the owner of its session. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { PEER_HEADER } from './headers';

/** The origin of a client's request. */
interface Peer {
  address: string | undefined;
  port: number | undefined;
  isSecure: boolean;
}

const PEER = Symbol('peer');

/** The value of PEER_HEADER for a client's request. */
export function describePeer({ socket }: IncomingMessage, secret: string): string {
  const isSecure = 'encrypted' in socket && socket.encrypted === true;
  return [secret, isSecure ? 'tls' : 'tcp', socket.remotePort, socket.remoteAddress].join(' ');
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
