/**
 * Streams in Redis: one of its own streams for each. No command but the one that creates a stream makes a new one, and ids of an earlier epoch are
 * too small: Redis itself refuses what would continue a stream that has been lost.
 */
import { randomBytes } from 'node:crypto';
import { entryOf, type Epoch, epochOf, fieldsOf, idOf, newId, offsetOf } from './redis-entries';
import { RemoteStreams } from './remote-streams';
import { type Entry, type Limits, type Page, pageOf, type Position, REMEMBERED } from './streams';

/** Runs commands of Redis. */
export interface RedisKeys {
  /** The beginning of the names of all keys. */
  readonly prefix: string;
  /** Resolves with the answer, with its texts as bytes. Rejects with an `OutageError`, unless `expected` matches the error of Redis. */
  run(command: string, args: readonly (string | number | Uint8Array)[], expected?: RegExp): Promise<unknown>;
  /** Pages of keys, whose names match a pattern of Redis, at all nodes. Rejects as `run` does. */
  find(pattern: string): AsyncIterable<readonly Buffer[]>;
}

/** Time in ms between two prolongations of a stream. */
const PROLONG_INTERVAL = 3_600_000;
/** Time in ms between two removals of events that have expired. */
const SWEEP_INTERVAL = 10_000;
/** How many streams this process knows. */
const MAX_KNOWN = 10_000;

const MISSING = /no such key/;
const TOO_SMALL = /equal or smaller/;

/** What this process knows of a stream. */
interface Known {
  readonly epoch: Promise<Epoch>;
  /** The number of the latest event of this process. */
  offset: number;
  /** When that expires. Undefined if it has been removed. */
  expires: number | undefined;
  /** When the stream has been prolonged. */
  prolonged: number;
}

export class RedisStreams extends RemoteStreams {
  readonly #redis: RedisKeys;
  /** The one with the latest event of this process last. */
  readonly #known = new Map<string, Known>();
  #timer: NodeJS.Timeout | undefined;

  constructor(redis: RedisKeys) {
    super();
    this.#redis = redis;
  }

  async read(stream: string, after: number, count: number, { ttl }: Limits): Promise<Page> {
    const { epoch, offset } = await this.#end(stream, ttl);
    const end = { epoch: epoch.text, offset };
    if (count === 0 || offset === 0) return { ...end, entries: [] };
    const first = Math.max(1, (after < 0 ? offset + after : after) + 1);
    if (first > offset) return { ...end, entries: [] };
    const range = [this.#keyOf(stream), idOf(epoch, first), idOf(epoch, offset), 'COUNT', count];
    const found = (await this.#redis.run('xrange', range)) as [id: Buffer, fields: Buffer[]][]; // as Redis documents it
    const oldest = Date.now() - ttl;
    const kept = found.map(([id, fields]) => entryOf(id, fields)).filter(({ time }) => time > oldest);
    return { ...end, entries: pageOf(kept, count) };
  }

  async restart(stream: string): Promise<void> {
    this.#known.delete(stream);
    await this.#redis.run('unlink', [this.#keyOf(stream)]);
  }

  protected async restartAll(): Promise<void> {
    this.#known.clear();
    const pattern = `${this.#redis.prefix.replaceAll(/[*?[\]\\]/g, '\\$&')}:history:{*}`;
    for await (const keys of this.#redis.find(pattern)) await Promise.all(keys.map(async key => this.#redis.run('unlink', [key])));
  }

  override close(): void {
    super.close();
    clearInterval(this.#timer);
  }

  protected async add(stream: string, event: Omit<Entry, 'offset'>, limits: Limits): Promise<Position> {
    for (;;) {
      const known = this.#knownOf(stream, limits.ttl);
      const epoch = await known.epoch;
      const added = await this.#addTo(stream, epoch, event, limits);
      const offset = added === undefined ? 0 : offsetOf(added);
      if (offset > known.offset) {
        this.#onAdded(stream, known, offset, limits.ttl);
        return { epoch: epoch.text, offset };
      }
      if (added !== undefined) await this.restart(stream); // Redis has lost the latest events, as in a failover
      this.#forget(stream, known);
    }
  }

  #forget(stream: string, known: Known): void {
    if (this.#known.get(stream) === known) this.#known.delete(stream);
  }

  /** Returns the id of the event. Undefined if the stream is gone, or in another epoch. */
  async #addTo(stream: string, { time }: Epoch, { content, id }: Omit<Entry, 'offset'>, { size }: Limits): Promise<string | undefined> {
    const fields = ['t', Date.now(), ...(id === undefined ? [] : ['i', id]), ...fieldsOf(content)];
    const added = await this.#redis.run(
      'xadd',
      [this.#keyOf(stream), 'NOMKSTREAM', 'MAXLEN', '=', size, `${time}-*`, ...fields],
      TOO_SMALL,
    );
    return added instanceof Buffer ? added.toString() : undefined;
  }

  /** The end of a stream, which is created if there is none. */
  async #end(stream: string, ttl: number): Promise<{ epoch: Epoch; offset: number }> {
    for (;;) {
      const info = await this.#redis.run('xinfo', ['STREAM', this.#keyOf(stream)], MISSING);
      if (Array.isArray(info)) {
        const id = String(info[info.findIndex(field => String(field) === 'last-generated-id') + 1]);
        return { epoch: epochOf(id), offset: offsetOf(id) };
      }
      await this.#create(stream, ttl);
    }
  }

  /** Creates a stream, unless another process does at the same time. */
  async #create(stream: string, ttl: number): Promise<void> {
    const key = this.#keyOf(stream);
    const draft = `${key}:${randomBytes(9).toString('base64url')}`;
    const [seconds, micros] = (await this.#redis.run('time', [])) as Buffer[]; // that of Redis: the same for all servers
    const id = newId(Number(seconds) * 1000 + Math.floor(Number(micros) / 1000));
    await this.#redis.run('xadd', [draft, 'MAXLEN', '=', 0, id, 't', 0]);
    await this.#redis.run('pexpire', [draft, ttl + REMEMBERED]);
    const isFirst = await this.#redis.run('renamenx', [draft, key]);
    if (isFirst !== 1) await this.#redis.run('unlink', [draft]);
  }

  #knownOf(stream: string, ttl: number): Known {
    let known = this.#known.get(stream);
    if (!known) {
      const epoch = this.#end(stream, ttl).then(end => end.epoch);
      const made = (known = { epoch, offset: 0, expires: undefined, prolonged: Number.NEGATIVE_INFINITY });
      epoch.catch(() => this.#forget(stream, made)); // whoever waits for it handles the error, too
    }
    this.#known.delete(stream);
    this.#known.set(stream, known); // as the last one
    if (this.#known.size > MAX_KNOWN) for (const oldest of this.#known.keys()) if (this.#known.delete(oldest)) break;
    return known;
  }

  #onAdded(stream: string, known: Known, offset: number, ttl: number): void {
    const now = performance.now();
    known.offset = offset;
    known.expires = now + ttl;
    this.#timer ??= setInterval(() => void this.#sweep(), SWEEP_INTERVAL).unref();
    if (now < known.prolonged + PROLONG_INTERVAL) return;
    known.prolonged = now;
    this.#tryTo('pexpire', [this.#keyOf(stream), ttl + REMEMBERED]);
  }

  /** Removes events of this process that have expired, with all before them. */
  async #sweep(): Promise<void> {
    const now = performance.now();
    const kept = [...this.#known].filter(([, { expires }]) => expires !== undefined);
    for (const [stream, known] of kept) {
      if (known.expires === undefined || known.expires > now) continue;
      known.expires = undefined;
      const next = idOf(await known.epoch, known.offset + 1);
      this.#tryTo('xtrim', [this.#keyOf(stream), 'MINID', '=', next]);
    }
    if (kept.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** For what may fail: the log says so, and Redis removes a stream by itself in the end. */
  #tryTo(command: string, args: readonly (string | number)[]): void {
    this.#redis.run(command, args).catch(() => {});
  }

  /** In braces is what a Cluster chooses the node by: a stream is at the same one as its draft. */
  #keyOf(stream: string): string {
    return `${this.#redis.prefix}:history:{${stream}}`;
  }
}
