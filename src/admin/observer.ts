/** Hears of the events of this process while somebody looks at the page, and of those of a socket while somebody watches it. */
import type { Server as EngineServer } from 'engine.io';
import type { Socket } from 'socket.io';
import type { Runtime } from '../path/runtime';
import { bothPackets, type PacketWatch, type Watched } from '../path/watch';

/** Time in ms without a question after which nobody looks any more. The page asks every second while it is visible. */
const TIMEOUT = 10_000;

/** The number of a socket's latest events that are kept. */
const MAX_EVENTS = 200;

/** The most characters of an event's name. */
const MAX_NAME = 100;

/** An event, without what it carries. */
export interface SeenEvent {
  /** The time in µs since 1970, or more: it rises, also if the socket comes back in another process, as far as the clocks of machines agree. */
  readonly number: number;
  /** In ms since 1970. */
  readonly at: number;
  readonly isOutgoing: boolean;
  readonly event: string;
  /** The size of the arguments as JSON and of the bytes among them. Undefined if it is not known. */
  readonly size: number | undefined;
  /** The time in ms until it was handled. */
  readonly duration: number | undefined;
  /** `OK`, or the code of the error. Undefined for an event that was sent. */
  readonly outcome: string | undefined;
}

interface Entry {
  readonly event: unknown;
  readonly size: number | undefined;
  /** As of `performance.now()`. */
  readonly beganAt: number;
  code: string | undefined;
}

/** A socket that somebody watches. */
interface Recording {
  readonly events: SeenEvent[];
  readonly timer: NodeJS.Timeout;
}

/** The part of a packet's context that is read. */
interface PacketContext {
  readonly socket?: Socket;
  readonly packet?: readonly unknown[];
}

export class Observer implements PacketWatch {
  /** Counted while somebody looks. */
  readonly counts = { events: 0, errors: 0, connections: 0 };
  readonly #runtime: Runtime;
  readonly #entries = new WeakMap<object, Entry>();
  readonly #recordings = new Map<Socket, Recording>();
  /** Those whose connections are counted. */
  readonly #engines = new Set<EngineServer>();
  /** The number of the latest event. */
  #latest = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** To be called for each question of a page. */
  look(engines: readonly EngineServer[]): void {
    for (const engine of engines) if (!this.#engines.has(engine)) this.#engines.add(engine.on('connection', this.#countConnection));
    if (this.#timer) {
      this.#timer.refresh();
      return;
    }
    const before = this.#runtime.packetWatch;
    this.#runtime.packetWatch = bothPackets(before, this);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#runtime.packetWatch = before;
      for (const engine of this.#engines) engine.off('connection', this.#countConnection);
      this.#engines.clear();
    }, TIMEOUT).unref();
  }

  /** The events of a socket after a number. The first call begins to record them. */
  eventsOf(socket: Socket, after: number): readonly SeenEvent[] {
    const recording = this.#recordings.get(socket) ?? this.#record(socket);
    recording.timer.refresh();
    return recording.events.filter(({ number }) => number > after);
  }

  begin(ctx: PacketContext, event: unknown): void {
    const isRecorded = ctx.socket !== undefined && this.#recordings.has(ctx.socket);
    const size = isRecorded ? sizeOf(ctx.packet?.slice(1) ?? []) : undefined;
    this.#entries.set(ctx, { event, size, beganAt: performance.now(), code: undefined });
  }

  fail(ctx: object, code: string): void {
    const entry = this.#entries.get(ctx);
    if (entry) entry.code = code;
  }

  end(ctx: object, { socket }: Watched): void {
    const entry = this.#entries.get(ctx);
    if (!entry) return;
    this.#entries.delete(ctx);
    const { event, size, beganAt, code = 'OK' } = entry;
    this.#count(socket, { isOutgoing: false, event, size, duration: performance.now() - beganAt, outcome: code });
  }

  write({ socket }: Watched, event: unknown, outcome: string): void {
    this.#count(socket, { isOutgoing: false, event, size: undefined, duration: undefined, outcome });
  }

  readonly #countConnection = (): void => void this.counts.connections++;

  #count(socket: Socket, seen: Omit<SeenEvent, 'number' | 'at' | 'event'> & { readonly event: unknown }): void {
    this.counts.events++;
    if (seen.outcome !== 'OK') this.counts.errors++;
    this.#add(socket, seen);
  }

  #record(socket: Socket): Recording {
    const onOutgoing = (event: string, ...args: unknown[]): void =>
      this.#add(socket, { isOutgoing: true, event, size: sizeOf(args), duration: undefined, outcome: undefined });
    const stop = (): void => {
      clearTimeout(timer);
      socket.offAnyOutgoing(onOutgoing);
      socket.off('disconnect', stop);
      this.#recordings.delete(socket);
    };
    const timer = setTimeout(stop, TIMEOUT).unref();
    const recording: Recording = { events: [], timer };
    this.#recordings.set(socket, recording);
    socket.onAnyOutgoing(onOutgoing);
    socket.on('disconnect', stop);
    return recording;
  }

  #add(socket: Socket, { event, ...seen }: Omit<SeenEvent, 'number' | 'at' | 'event'> & { readonly event: unknown }): void {
    const recording = this.#recordings.get(socket);
    if (!recording) return;
    const { events } = recording;
    const at = Date.now();
    this.#latest = Math.max(this.#latest + 1, at * 1000);
    events.push({ ...seen, number: this.#latest, at, event: String(event).slice(0, MAX_NAME) });
    if (events.length > MAX_EVENTS) events.shift();
  }
}

/** The size of the arguments as JSON, and of the bytes among them. Undefined if they cannot be written as JSON. */
function sizeOf(args: readonly unknown[]): number | undefined {
  let bytes = 0;
  try {
    const text = JSON.stringify(
      args.filter(arg => typeof arg !== 'function'), // an acknowledgement
      function (this: Record<string, unknown>, key, value: unknown) {
        const original = this[key]; // what a Buffer is before its toJSON()
        if (!ArrayBuffer.isView(original) && !(original instanceof ArrayBuffer)) return value;
        bytes += original.byteLength;
        return null;
      },
    );
    return Buffer.byteLength(text) + bytes;
  } catch {
    return undefined;
  }
}
