/** Adapters whose local clients never wait for other servers, and whose questions to other servers do not hang. */
import { setTimeout as wait } from 'node:timers/promises';
import { Adapter, type BroadcastOptions, type ClusterAdapter, MessageType, type Room } from 'socket.io-adapter';
import { refusalIn } from '../answer';
import { toError } from '../../errors';
import type { Backplane } from '../backplane';

/** How long a broadcast waits for its offset, in ms: with it, a client that reconnects can say what it has missed. */
const OFFSET_PATIENCE = 50;

/** How long it may take to count the servers, in ms: of a Cluster, each node is asked. */
const COUNT_PATIENCE = 800;
/** How long a count is good for, in ms. */
const RECENT = 20;

interface Packet {
  readonly data: unknown[];
}

type Broadcast = (packet: Packet, opts: BroadcastOptions) => void;

type Callback = (error: Error | null, responses?: unknown[]) => void;

/** What a ClusterAdapter declares as protected or private. */
interface Inside {
  publish(message: object): void;
  publishAndReturnOffset(message: object): Promise<string>;
  addOffsetIfNecessary(packet: Packet, opts: BroadcastOptions, offset: string): void;
}

/** What a broadcast is to the clients of this server alone: at once, and a value that cannot be sent throws. */
export function broadcastHere<A extends Adapter>(adapter: A): A {
  return Object.assign(adapter, {
    broadcast: (packet: Packet, opts: BroadcastOptions): void => Adapter.prototype.broadcast.call(adapter, packet, opts),
  });
}

/**
 * The adapters of Socket.IO that stand on its ClusterAdapter publish first, wait, and then turn to the clients of this server.
 * This one is changed to turn to them at once, and in order. Its `broadcast` has to be that to them alone.
 * @param withOffsets whether clients of this server get the offset of a broadcast along, for connection state recovery
 */
export function deliverLocallyFirst(adapter: ClusterAdapter, backplane: Backplane, withOffsets = false): ClusterAdapter {
  const inside = adapter as unknown as Inside; // there, though declared otherwise
  const base = {
    broadcast: adapter.broadcast.bind(adapter) as Broadcast,
    addSockets: adapter.addSockets.bind(adapter),
    delSockets: adapter.delSockets.bind(adapter),
    disconnectSockets: adapter.disconnectSockets.bind(adapter),
  };
  const publish = (type: MessageType, opts: BroadcastOptions, data: object): void => {
    if (!opts.flags?.local) inside.publish({ type, data: { opts: encoded(opts), ...data } });
  };
  return Object.assign(adapter, {
    broadcast(packet: Packet, opts: BroadcastOptions): void {
      base.broadcast(packet, opts);
      publish(MessageType.BROADCAST, opts, { packet });
    },
    async addSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
      publish(MessageType.SOCKETS_JOIN, opts, { rooms });
      return base.addSockets(locally(opts), rooms);
    },
    async delSockets(opts: BroadcastOptions, rooms: Room[]): Promise<void> {
      publish(MessageType.SOCKETS_LEAVE, opts, { rooms });
      return base.delSockets(locally(opts), rooms);
    },
    async disconnectSockets(opts: BroadcastOptions, close: boolean): Promise<void> {
      publish(MessageType.DISCONNECT_SOCKETS, opts, { close });
      return base.disconnectSockets(locally(opts), close);
    },
    ...(withOffsets && { broadcast: inOrder(base.broadcast, inside, backplane) }),
  });
}

/**
 * Broadcasts that wait for their offsets, each behind those before it. While the other end does not answer they do not wait:
 * a client that reconnects later is then not told what it missed since.
 */
function inOrder(broadcast: Broadcast, inside: Inside, backplane: Backplane): Broadcast {
  let isLate = false;
  let last: Promise<void> | undefined;

  const offsetOf = async (packet: Packet, opts: BroadcastOptions): Promise<string | undefined> => {
    const published = inside.publishAndReturnOffset({ type: MessageType.BROADCAST, data: { packet, opts: encoded(opts) } }).then(
      offset => {
        isLate = false;
        return offset;
      },
      () => undefined, // it has been counted
    );
    if (isLate || backplane.isDown) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>(resolve => {
      timer = setTimeout(() => {
        isLate = true;
        resolve(undefined);
      }, OFFSET_PATIENCE);
    });
    return Promise.race([published, late]).finally(() => clearTimeout(timer));
  };

  return (packet, opts) => {
    const offset = opts.flags?.local ? undefined : offsetOf(packet, opts);
    const before = last;
    const turn = (async () => {
      await before;
      const value = await offset;
      if (value !== undefined) inside.addOffsetIfNecessary(packet, opts, value);
      broadcast(packet, opts);
    })();
    last = turn.catch((error: unknown) => backplane.logger.error('[egg-socket.io] a broadcast failed:', error));
  };
}

/**
 * Lets questions to other servers fail where these cannot be reached, rather than hang or reject unheard.
 * @param patience how long to wait for the answers, in ms, where the adapter does not know it by itself
 */
export function failFast<A extends Adapter>(adapter: A, backplane: Backplane, patience?: number): A {
  const base = {
    fetchSockets: adapter.fetchSockets.bind(adapter),
    serverCount: adapter.serverCount.bind(adapter),
    serverSideEmit: adapter.serverSideEmit.bind(adapter),
  };
  let recent: { readonly count: number; readonly until: number } | undefined;
  /** The adapter counts them once more for what follows at once. */
  const countServers = async (): Promise<number> => {
    if (recent && performance.now() < recent.until) return recent.count;
    const late = new AbortController();
    const count = await Promise.race([
      base.serverCount(),
      wait(COUNT_PATIENCE, undefined, { signal: late.signal }).then(() => {
        throw new Error(`the servers could not be counted in ${COUNT_PATIENCE} ms`);
      }),
    ]).finally(() => late.abort());
    recent = { count, until: performance.now() + RECENT };
    return count;
  };
  /** That the others cannot even be counted says it all. */
  const ask = <Answer>(work: () => Promise<Answer>): Promise<Answer> =>
    backplane.ask(async () => {
      await countServers().catch((cause: unknown) => {
        throw backplane.error(cause);
      });
      return work();
    });
  return Object.assign(adapter, {
    fetchSockets(opts: BroadcastOptions): Promise<unknown[]> {
      if (opts.flags?.local) return base.fetchSockets(opts);
      return ask(() => base.fetchSockets(patience === undefined ? opts : { ...opts, flags: { timeout: patience, ...opts.flags } }));
    },
    /** Socket.IO does not catch a rejection here: a broadcast with acknowledgement then knows no end but its timeout. */
    serverCount: (): Promise<number> => countServers().catch(() => Number.POSITIVE_INFINITY),
    serverSideEmit(args: unknown[]): Promise<void> | void {
      const callback = args.at(-1);
      if (typeof callback !== 'function') return base.serverSideEmit(args);
      const answer = callback as Callback; // Socket.IO's own
      return ask(
        () =>
          new Promise<unknown[] | undefined>((resolve, reject) => {
            const done: Callback = (late, responses) => {
              const error = late ?? refusalIn(responses);
              if (error) reject(Object.assign(error, { responses }));
              else resolve(responses);
            };
            Promise.resolve(base.serverSideEmit([...args.slice(0, -1), done])).catch(reject);
          }),
      ).then(
        responses => answer(null, responses),
        (error: unknown) => answer(toError(error), (error as { responses?: unknown[] }).responses ?? []), // put there just now
      );
    },
  });
}

/** Whether it is missed where it does not arrive, which a heartbeat is not. */
export function isMissed({ type }: { type?: unknown }): boolean {
  return MISSED.has(type);
}

const MISSED: ReadonlySet<unknown> = new Set([
  MessageType.BROADCAST,
  MessageType.SOCKETS_JOIN,
  MessageType.SOCKETS_LEAVE,
  MessageType.DISCONNECT_SOCKETS,
  MessageType.SERVER_SIDE_EMIT,
]);

/** For the sockets of this server alone. */
export function locally(opts: BroadcastOptions): BroadcastOptions {
  return { ...opts, flags: { ...opts.flags, local: true } };
}

/** As other servers read it. */
export function encoded({ rooms, except = new Set(), flags = {} }: BroadcastOptions): object {
  return { rooms: [...rooms], except: [...except], flags };
}
