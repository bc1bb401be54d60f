/** What workers ask of each other by way of the hub, and what they reply. What comes in is checked before it is used. */
import type { BroadcastFlags, Room } from 'socket.io-adapter';
import { isObject, isRoomList, isTarget } from '../../backplane/backend-message';
import { InvalidMessage } from '../../backplane/inbox';
import { type Part, readMessage } from './hub-message';

/** The namespace and the sockets that a request is about: BroadcastOptions as JSON. */
export interface Target {
  readonly nsp: string;
  readonly rooms?: Room[];
  readonly except?: Room[];
  readonly flags?: BroadcastFlags;
}

/** A request that is replied to if it has an id. */
export type Query =
  | ({ readonly type: 'broadcast' | 'fetch'; readonly id?: number } & Target)
  | { readonly type: 'event'; readonly nsp: string; readonly id?: number };

/** The head of a message that asks for something; its parts are the packet, or the arguments of the event. */
export type Request =
  | Query
  | ({ readonly type: 'join' | 'leave'; readonly names: Room[] } & Target)
  | ({ readonly type: 'disconnect'; readonly close: boolean } & Target);

/** The head of a reply; its parts are the answer. */
export interface Reply {
  readonly type: 'reply';
  /** Of the request. */
  readonly id: number;
  /** That worker has no such namespace. */
  readonly isNobody?: true;
  /** Why that worker cannot answer. */
  readonly error?: string;
  /** To a broadcast: how many clients got it. Their acknowledgements follow, each in a reply without this. */
  readonly clients?: number;
}

/** @throws InvalidMessage if no worker of this version can have written it */
export function readRequest(content: Buffer): { head: Request | Reply; parts: Part[] } {
  let message;
  try {
    message = readMessage(content);
  } catch {
    throw new InvalidMessage();
  }
  const { head, parts } = message;
  if (!isRequest(head)) throw new InvalidMessage();
  return { head, parts };
}

function isRequest(head: unknown): head is Request | Reply {
  if (!isObject(head)) return false;
  const { type, id, nsp, names, close } = head;
  if (type === 'reply') return typeof id === 'number';
  if (typeof nsp !== 'string' || !isTarget(head)) return false;
  switch (type) {
    case 'broadcast':
    case 'event':
      return id === undefined || typeof id === 'number';
    case 'fetch':
      return typeof id === 'number';
    case 'join':
    case 'leave':
      return isRoomList(names);
    case 'disconnect':
      return typeof close === 'boolean';
    default:
      return false;
  }
}
