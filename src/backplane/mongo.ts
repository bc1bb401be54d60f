/** MongoDB as the backplane. */
import { createRequire } from 'node:module';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { DatabaseSettings } from '../config/adapter';
import type { AdapterFactory } from '../config/options';
import { closeInTime, DatabaseBackplane } from './database';
import type { Logger } from '../egg';
import { toError } from '../thrown';
import { ignoreClock } from './last-heard';
import { CONNECT_TIMEOUT } from './pulsed-backplane';

interface MongoCollection {
  insertOne(document: object): Promise<unknown>;
}

interface MongoClient {
  db(name: string): {
    command(command: object): Promise<unknown>;
    collection(name: string): MongoCollection;
    createCollection(name: string, options: object): Promise<unknown>;
  };
  close(): Promise<void>;
}

/** The exports of `@socket.io/mongo-adapter`. */
export interface MongoPackage {
  createAdapter(collection: object, options: object): (nsp: Namespace) => Adapter;
}

/** The size in bytes of the capped collection, if the plugin has to create it. */
const COLLECTION_SIZE = 1_000_000;

export class MongoBackplane extends DatabaseBackplane {
  readonly createAdapter: AdapterFactory;
  readonly requestsTimeout = undefined; // the adapter sets it
  readonly #client: MongoClient;
  readonly #database: string;
  readonly #collection: string;
  #hasCollection = false;

  /** @param path the path of the adapter's package, whose dependency mongodb is loaded */
  constructor({ options }: DatabaseSettings, logger: Logger, { createAdapter }: MongoPackage, path: string) {
    const { url, database, collection = 'socket.io-adapter-events', ...others } = options;
    super(`MongoDB at ${addressOf(String(url))}`, 'IO_DATABASE_DOWN', logger);
    const { MongoClient } = createRequire(path)('mongodb') as { MongoClient: new (url: string, options: object) => MongoClient };
    this.#client = new MongoClient(String(url), { serverSelectionTimeoutMS: CONNECT_TIMEOUT });
    this.#database = String(database);
    this.#collection = String(collection);
    const create = createAdapter(this.#client.db(this.#database).collection(this.#collection), others);
    this.createAdapter = nsp => ignoreClock(create(nsp));
  }

  channelOf(): string {
    return this.#collection;
  }

  protected async ping(pulse: number): Promise<void> {
    const db = this.#client.db(this.#database);
    if (!this.#hasCollection) {
      await db.createCollection(this.#collection, { capped: true, size: COLLECTION_SIZE }).catch((error: unknown) => {
        if (Reflect.get(toError(error), 'codeName') !== 'NamespaceExists') throw error;
      });
    }
    this.#hasCollection = true;
    await db.command({ ping: 1 });
    this.onPulse(pulse);
  }

  protected reconnect(): void {} // the client reconnects by itself

  protected async disconnect(): Promise<void> {
    await closeInTime(this.#client.close());
  }
}

/** The address for the log, without the password. */
function addressOf(url: string): string {
  return url.replace(/^.*?:\/\/(.*@)?([^/?]*).*$/, '$2');
}
