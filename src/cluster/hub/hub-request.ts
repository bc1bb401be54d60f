/** The requests and replies that workers send to each other through the hub, and their validation. */
import type { BroadcastFlags, Room } from 'socket.io-adapter';
import { isObject, isRoomList, isTarget } from '../../backplane/backend-message';
import { InvalidMessage } from '../../backplane/inbox';
import type { Forwarded, Position } from '../../store/streams';
import { type Part, readMessage } from './hub-message';

/** The namespace and the sockets of a request: BroadcastOptions as JSON. */
export interface Target {
  readonly nsp: string;
  readonly rooms?: Room[];
  readonly except?: Room[];
  readonly flags?: BroadcastFlags;
}

/** A request that gets a reply if it has an id. */
export type Query =
  | ({ readonly type: 'broadcast' | 'fetch'; readonly id?: number } & Target)
  | { readonly type: 'event'; readonly nsp: string; readonly id?: number };

/** An event of a room with history. The agent has added it to the room's stream, and its position to this. */
export type KeptEvent = { readonly type: 'kept'; readonly eventId?: string | undefined; readonly position: Position } & Omit<
  Forwarded,
  'isAwaited'
> &
  Target;

/** The head of a request. Its parts are the packet, or the arguments of the event. */
export type Request =
  | Query
  | KeptEvent
  | ({ readonly type: 'join' | 'leave'; readonly names: Room[] } & Target)
  | ({ readonly type: 'disconnect'; readonly close: boolean } & Target);

/** The head of a reply. Its parts are the answer. */
export interface Reply {
  readonly type: 'reply';
  /** The id of the request. */
  readonly id: number;
  /** Set if the worker does not have the namespace. */
  readonly isNobody?: true;
  /** The reason if the worker cannot answer. */
  readonly error?: string;
  /** For a broadcast, the number of clients that got it. Their acknowledgements follow, each in a reply without this field. */
  readonly clients?: number;
}

/** Reads and validates a message. @throws InvalidMessage if a worker of this version cannot have written it */
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
  const { type, id, nsp, names, close, room, position } = head;
  if (type === 'reply') return typeof id === 'number';
  if (typeof nsp !== 'string' || !isTarget(head)) return false;
  switch (type) {
    case 'broadcast':
    case 'event':
      return id === undefined || typeof id === 'number';
    case 'fetch':
      return typeof id === 'number';
    case 'kept':
      return (
        typeof room === 'string' && isObject(position) && typeof position['epoch'] === 'string' && typeof position['offset'] === 'number'
      );
    case 'join':
    case 'leave':
      return isRoomList(names);
    case 'disconnect':
      return typeof close === 'boolean';
    default:
      return false;
  }
}
