/** How broadcasts reach their sockets: within the process, or through Redis across servers. */
import { RedisAdapter } from '@socket.io/redis-adapter';
import { Redis, type RedisOptions } from 'ioredis';
import type { Namespace } from 'socket.io';
import { Adapter, type BroadcastOptions, type Room, SessionAwareAdapter } from 'socket.io-adapter';
import type { InitOptions, RedisConfig } from './config';
import type { Deprecations } from './deprecations';
import type { Logger } from './egg';
import { messageOf, SetupError } from './errors';

/** Makes the adapter of a namespace. Socket.IO calls it with `new`. */
export type AdapterFactory = (this: void, nsp: Namespace) => Adapter;

/** How long the boot waits for Redis, in ms. Without it the app starts all the same, and joins the others later. */
const BOOT_PATIENCE = 2000;

/** What the config asks for; with the old calls of adapters put on. */
export function createAdapterFactory(init: InitOptions, redis: RedisLink | undefined, deprecations: Deprecations): AdapterFactory {
  if (redis && init.adapter) throw new SetupError('IO_CONFIG_INVALID', 'config.io.redis and config.io.init.adapter are both set; keep one');
  const inMemory = init.connectionStateRecovery ? SessionAwareAdapter : Adapter;
  // Socket.IO types it as a class only, but takes a factory as well
  const Base = (redis?.createAdapter ?? init.adapter ?? inMemory) as new (nsp: Namespace) => Adapter;
  return function (nsp) {
    const adapter = new Base(nsp);
    deprecations.ofAdapter(adapter);
    return adapter;
  };
}

/** The two connections to Redis that all namespaces share. What Redis does never reaches local clients: it is only logged. */
export class RedisLink {
  readonly createAdapter: (nsp: Namespace) => Adapter;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #logger: Logger;
  readonly #address: string;
  #isDown = false;
  #unpublished = 0;

  constructor({ auth_pass, key = 'socket.io', db = 0, requestsTimeout = 5000, ...options }: RedisConfig, logger: Logger) {
    this.#logger = logger;
    this.#address = `${options.host ?? '127.0.0.1'}:${options.port ?? 6379}`;
    const common: RedisOptions = { connectTimeout: BOOT_PATIENCE, ...(auth_pass !== undefined && { password: auth_pass }), ...options };
    // a broadcast that waited for Redis would arrive when nobody expects it any more
    this.#publisher = this.#connect({ ...common, enableOfflineQueue: false, autoResendUnfulfilledCommands: false });
    // but a subscription has to survive
    this.#subscriber = this.#connect({ ...common, maxRetriesPerRequest: null });
    const [publisher, subscriber] = [this.#publisher, this.#subscriber];
    this.createAdapter = function (nsp) {
      return new LocalFirstAdapter(nsp, publisher, subscriber, { key: db > 0 ? `${key}-db${db}` : key, requestsTimeout });
    };
  }

  /** Resolves when Redis is there, or when the boot should not wait any longer. */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>(resolve => {
      timer = setTimeout(() => {
        this.#goDown(new Error(`no answer in ${BOOT_PATIENCE} ms`));
        resolve();
      }, BOOT_PATIENCE);
    });
    await Promise.race([patience, Promise.all([becomesReady(this.#publisher), becomesReady(this.#subscriber)])]);
    clearTimeout(timer);
  }

  close(): void {
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
 * Here they do so at once, with Redis or without; what comes back from Redis changes nothing then.
 */
class LocalFirstAdapter extends RedisAdapter {
  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.addSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.addSockets(opts, rooms);
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.delSockets(locally(opts), rooms);
    if (!opts.flags?.local) super.delSockets(opts, rooms);
  }

  /** Asked before every question to the other servers. */
  override async serverCount(): Promise<number> {
    try {
      return await super.serverCount();
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
