/**
 * The in-memory adapter for connection state recovery: it keeps emits and the sessions of disconnected clients for a while. Unlike Socket.IO's
 * own, it also recovers clients that have not received any emit yet, or none for longer than emits are kept.
 */
import { randomBytes } from 'node:crypto';
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, type Session } from 'socket.io-adapter';
import { serverInternals } from '../internals/socket-io';
import { type EncodedPacket, type Event, PacketCodec } from './packet-codec';

/** The session of a disconnected client, as Socket.IO passes it. */
export type Gone = Omit<Session, 'missedPackets'>;

/** A session that may be recovered. */
interface Kept extends Gone {
  /** The number of the first emit after the client connected. */
  readonly since: number;
  readonly goneAt: number;
}

/** An emit that clients may have missed. */
interface Emit {
  readonly at: number;
  readonly opts: BroadcastOptions;
  /** Undefined for a volatile one, which is not sent again. */
  readonly packet: EncodedPacket | undefined;
}

/** Time between two removals of old emits and sessions, in ms. */
const FORGET_INTERVAL = 60_000;

export class RecoveringAdapter extends Adapter {
  readonly #codec: PacketCodec;
  /** The longest time in ms for which a client may be disconnected. */
  readonly #maxAway: number;
  /** The time in ms to keep emits. Longer, since a silent network loss is detected only after a heartbeat. */
  readonly #maxAge: number;
  /** By the client's private id. */
  readonly #gone = new Map<string, Kept>();
  /** For each connected client, the number of the first emit after it connected. */
  readonly #since = new Map<string, number>();
  #emits: Emit[] = [];
  /** The number of the first of `#emits`. */
  #first = 0;
  /** Distinguishes offsets of this server from those of an earlier one. */
  readonly #prefix = `${randomBytes(6).toString('base64url')}-`;
  #timer: NodeJS.Timeout | undefined;

  constructor(nsp: Namespace) {
    super(nsp);
    this.#codec = new PacketCodec(nsp);
    this.#codec.setEncoder(this);
    const { connectionStateRecovery, pingInterval = 25_000, pingTimeout = 20_000 } = serverInternals(nsp.server).opts;
    this.#maxAway = connectionStateRecovery?.maxDisconnectionDuration ?? 120_000;
    this.#maxAge = this.#maxAway + pingInterval + pingTimeout;
  }

  override broadcast(event: Event, opts: BroadcastOptions): void {
    const packet = this.#codec.encodeEvent(event);
    if (!packet.isQuestion) {
      // a returning client sends its last offset: any text at the end of an event, of a volatile one as well
      packet.append(this.#prefix + (this.#first + this.#emits.length));
      this.#emits.push({ at: Date.now(), opts, packet: opts.flags?.volatile ? undefined : packet });
      this.#keepForAWhile();
    }
    super.broadcast(packet, opts);
  }

  /** To be called when a client has connected. @param held the number of emits that were held back for it */
  admit(id: string, held: number): void {
    this.#since.set(id, this.#first + this.#emits.length - held);
  }

  override delAll(id: string): void {
    this.#since.delete(id);
    super.delAll(id);
  }

  /** Keeps a session. One that was taken out by `restoreSession` and is put back unused keeps its times. */
  override persistSession(gone: Gone & Partial<Kept>): void {
    const { since = this.#since.get(gone.sid) ?? 0, goneAt = Date.now() } = gone;
    this.#gone.set(gone.pid, { ...gone, since, goneAt });
    this.#keepForAWhile();
  }

  /** Takes out a session, since only one client may recover it. */
  override async restoreSession(pid: string, offset: string): Promise<Session> {
    const kept = this.#gone.get(pid);
    this.#gone.delete(pid);
    if (!kept || kept.goneAt + this.#maxAway < Date.now()) return null as unknown as Session; // like Socket.IO's own, despite its type
    const last = offset.startsWith(this.#prefix) ? Number(offset.slice(this.#prefix.length)) : Number.NaN;
    // the offset is unusable if the client has not received anything since it connected
    const next = last >= kept.since && last < this.#first + this.#emits.length ? last + 1 : kept.since;
    const missedPackets = this.#emits
      .slice(Math.max(0, next - this.#first))
      .filter(({ opts }) => isFor(kept.rooms, opts))
      .flatMap(({ packet }) => (packet ? [packet.decode()] : [])); // as they were sent, even if the app has changed the values since
    return { ...kept, missedPackets };
  }

  override close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #keepForAWhile(): void {
    this.#timer ??= setTimeout(() => this.#forget(), FORGET_INTERVAL).unref();
  }

  #forget(): void {
    this.#timer = undefined;
    const now = Date.now();
    const firstKept = this.#emits.findIndex(({ at }) => at + this.#maxAge >= now);
    const old = firstKept === -1 ? this.#emits.length : firstKept;
    this.#emits = this.#emits.slice(old);
    this.#first += old;
    for (const [pid, { goneAt }] of this.#gone) if (goneAt + this.#maxAway < now) this.#gone.delete(pid);
    if (this.#emits.length > 0 || this.#gone.size > 0) this.#keepForAWhile();
  }
}

/** Whether a broadcast reaches a client in these rooms. */
export function isFor(rooms: readonly string[], { rooms: wanted, except }: BroadcastOptions): boolean {
  return (wanted.size === 0 || rooms.some(room => wanted.has(room))) && !rooms.some(room => except?.has(room));
}
