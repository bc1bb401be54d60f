/** Reads what the parts of the server know by themselves. Nothing is counted for it. */
import type { Server } from 'socket.io';
import type { Backplane } from '../backplane/backplane';
import type { Limits } from '../limits/limits';
import { namespaceOf } from '../path/namespace';
import type { Point, Reading } from './names';
import { Tally } from './tally';

/** What is read. */
export interface Sources {
  readonly server: Server;
  readonly runtime: { readonly limits: Limits; readonly inFlight: { readonly size: number } };
  /** Undefined without other processes. */
  readonly backplane: Backplane | undefined;
  /** The name of the adapter, or `hub`. */
  readonly carrier: string;
}

/** @param published the number of messages to other processes */
export function readState({ server, runtime, backplane, carrier }: Sources, published: number): Reading {
  const { counts, backlog } = runtime.limits;
  const waiting = backlog?.waiting;
  return {
    ...readNamespaces(server),
    'socketio.server.active_handlers': single(runtime.inFlight.size),
    'socketio.server.limits': Object.entries(counts).map(([limit, value]) => ({ attributes: { 'socketio.limit': limit }, value })),
    ...(waiting && {
      'socketio.server.backlog.connections': single(waiting.connections),
      'socketio.server.backlog.size': single(waiting.bytes),
    }),
    ...(backplane && readBackplane(backplane, carrier, published)),
  };
}

/** Those of one pattern together. */
function readNamespaces(server: Server): Reading {
  const [sockets, rooms] = [new Tally(), new Tally()];
  for (const nsp of server._nsps.values()) {
    const attributes = { 'socketio.namespace': namespaceOf(nsp)?.kind ?? nsp.name };
    sockets.add(attributes, nsp.sockets.size);
    rooms.add(attributes, Math.max(0, nsp.adapter.rooms.size - nsp.adapter.sids.size)); // each socket is in a room of its own
  }
  return { 'socketio.server.active_sockets': sockets.points, 'socketio.server.rooms': rooms.points };
}

function readBackplane(backplane: Backplane, carrier: string, published: number): Reading {
  const attributes = { 'messaging.system': carrier };
  const { isReachable, losses, inbox } = backplane;
  return {
    'messaging.client.sent.messages': [{ attributes: { ...attributes, 'messaging.operation.name': 'publish' }, value: published }],
    'messaging.client.consumed.messages': [{ attributes: { ...attributes, 'messaging.operation.name': 'receive' }, value: inbox.read }],
    'socketio.server.backplane.reachable': [{ attributes, value: isReachable ? 1 : 0 }],
    'socketio.server.backplane.outages': [{ attributes, value: losses.outages }],
    'socketio.server.backplane.lost_messages': [{ attributes, value: losses.messages }],
  };
}

function single(value: number): Point[] {
  return [{ attributes: {}, value }];
}
