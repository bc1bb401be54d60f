/** How broadcasts reach their sockets: within the process, or through Redis across servers. */
import { RedisAdapter } from '@socket.io/redis-adapter';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, type Room, SessionAwareAdapter } from 'socket.io-adapter';
import type { InitOptions, RedisConfig } from './config';
import type { Deprecations } from './deprecations';
import type { Logger } from './egg';
import { messageOf } from './errors';

/** Makes the adapter of a namespace. Socket.IO calls it with `new`. */
export type AdapterFactory = (this: void, nsp: Namespace) => Adapter;

/** What carries broadcasts to other processes. */
export interface Link {
  readonly createAdapter: (nsp: Namespace) => Adapter;
  /** Resolves when it is there, or when the boot should not wait any longer. */
  ready(): Promise<void>;
  close(): void;
}

/** How long the boot waits for Redis, in ms. Without it the app starts all the same, and joins the others later. */
const BOOT_PATIENCE = 2000;

/** What the config asks for; with the old calls of adapters put on. */
export function createAdapterFactory(init: InitOptions, link: Link | undefined, deprecations: Deprecations): AdapterFactory {
  const inMemory = init.connectionStateRecovery ? SessionAwareAdapter : Adapter;
  // Socket.IO types it as a class only, but takes a factory as well
  const Base = (link?.createAdapter ?? init.adapter ?? inMemory) as new (nsp: Namespace) => Adapter;
  return function (nsp) {
    const adapter = new Base(nsp);
    deprecations.ofAdapter(adapter);
    return adapter;
  };
}

/** The two connections to Redis that all namespaces share. What Redis does never reaches local clients: it is only logged. */
export class RedisLink implements Link {
  readonly createAdapter: (nsp: Namespace) => Adapter;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #logger: Logger;
  readonly #address: string;
  /** Aborted when nothing is waited for any more. */
  readonly #closing = new AbortController();
  #isDown = false;
  #unpublished = 0;

  constructor({ auth_pass, key = 'socket.io', db = 0, requestsTimeout = 5000, ...options }: RedisConfig, logger: Logger) {
    this.#logger = logger;
    this.#address = `${options.host ?? '127.0.0.1'}:${options.port ?? 6379}`;
    const password = options.password ?? auth_pass;
    const common: RedisOptions = { connectTimeout: BOOT_PATIENCE, ...options, ...(password !== undefined && { password }) };
    // a broadcast that waited for Redis would arrive when nobody expects it any more
    this.#publisher = this.#connect({ ...common, enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: requestsTimeout });
    // but a subscription has to survive
    this.#subscriber = this.#connect({ ...common, maxRetriesPerRequest: null });
    const [publisher, subscriber] = [this.#publisher, this.#subscriber];
    this.createAdapter = function (nsp) {
      return new LocalFirstAdapter(nsp, publisher, subscriber, { key: db > 0 ? `${key}-db${db}` : key, requestsTimeout });
    };
  }

  /** Resolves when Redis is there, or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    const patience = wait(BOOT_PATIENCE, 'late', { signal: this.#closing.signal }).catch(() => 'closed');
    const link = Promise.all([becomesReady(this.#publisher), becomesReady(this.#subscriber)]);
    if ((await Promise.race([patience, link])) === 'late') this.#goDown(new Error(`no answer in ${BOOT_PATIENCE} ms`));
    else this.#closing.abort();
  }

  close(): void {
    this.#closing.abort();
    for (const client of [this.#publisher, this.#subscriber]) {
      client.removeAllListeners('close');
      client.disconnect();
    }
  }

  #connect(options: RedisOptions): Redis {
    const client = new Client(options, () => this.#unpublished++);
    client.setMaxListeners(0); // each namespace has some
    client.on('error', (error: Error) => this.#goDown(error));
    client.on('close', () => this.#goDown(new Error('the connection was closed')));
    client.on('ready', () => this.#comeUp());
    return client;
  }

  #goDown(error: Error): void {
    if (this.#isDown) return;
    this.#isDown = true;
    const problem = `no Redis at ${this.#address}; clients of this server are served, those of other servers are not reached until it is back`;
    this.#logger.error(messageOf('IO_REDIS_DOWN', problem), error);
  }

  #comeUp(): void {
    if (!this.#isDown || this.#publisher.status !== 'ready' || this.#subscriber.status !== 'ready') return;
    this.#isDown = false;
    this.#logger.info(
      '[egg-socket.io] Redis at %s is back; %d messages to other servers were lost meanwhile',
      this.#address,
      this.#unpublished,
    );
    this.#unpublished = 0;
  }
}

/**
 * The official adapter reaches sockets of its own server by way of Redis when they are to join, leave or disconnect.
 * Here they do so at once, with Redis or without, and what comes back from Redis is not done again: it might be out of date by then.
 */
class LocalFirstAdapter extends RedisAdapter {
  static {
    const onrequest: unknown = Reflect.get(RedisAdapter.prototype, 'onrequest'); // declared as private
    if (typeof onrequest !== 'function') throw new Error('@socket.io/redis-adapter has changed');
    Reflect.set(this.prototype, 'onrequest', function (this: LocalFirstAdapter, channel: string, message: Buffer | string): unknown {
      return this.#isOwnEcho(message) ? undefined : (Reflect.apply(onrequest, this, [channel, message]) as unknown);
    });
  }

  #isOwnEcho(message: Buffer | string): boolean {
    if (message[0] !== 0x7b && message[0] !== '{') return false; // only such requests are JSON
    try {
      const { uid, type } = JSON.parse(message.toString()) as { uid?: unknown; type?: unknown };
      return uid === this.uid && LOCAL_FIRST.has(type);
    } catch {
      return false; // the adapter says what it thinks of it
    }
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.addSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.delSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.delSockets(opts, rooms);
  }

  override async fetchSockets(opts: BroadcastOptions): ReturnType<RedisAdapter['fetchSockets']> {
    if (!opts.flags?.local) await this.#othersCanBeAsked();
    return super.fetchSockets(opts);
  }

  /** Socket.IO does not catch a rejection here. With Redis down nobody knows: a broadcast with acknowledgement waits for its timeout. */
  override async serverCount(): Promise<number> {
    return super.serverCount().catch(() => Number.POSITIVE_INFINITY);
  }

  async #othersCanBeAsked(): Promise<void> {
    try {
      await super.serverCount();
    } catch (cause) {
      const error = new Error(messageOf('IO_REDIS_DOWN', 'the other servers cannot be asked; `local` asks this one alone'), { cause });
      throw Object.assign(error, { code: 'IO_REDIS_DOWN' });
    }
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    super.disconnectSockets(locally(opts), close);
    if (!opts.flags?.local) super.disconnectSockets(opts, close);
  }
}

/** The adapter's numbers for join, leave and disconnect. */
const LOCAL_FIRST: ReadonlySet<unknown> = new Set([2, 3, 4]);

function locally(opts: BroadcastOptions): BroadcastOptions {
  return { ...opts, flags: { ...opts.flags, local: true } };
}

/** A Redis client whose failed commands reject for those who wait for them, and are counted rather than lost for those who do not. */
class Client extends Redis {
  readonly #onFailure: () => void;

  constructor(options: RedisOptions, onFailure: () => void) {
    super(options);
    this.#onFailure = onFailure;
  }

  override sendCommand(...args: Parameters<Redis['sendCommand']>): unknown {
    const [command] = args;
    const result = super.sendCommand(...args);
    if (result instanceof Promise) {
      result.catch(() => {
        if (command.name === 'publish') this.#onFailure();
      });
    }
    return result;
  }
}

async function becomesReady(client: Redis): Promise<void> {
  if (client.status !== 'ready') await new Promise<void>(resolve => client.once('ready', resolve));
}
