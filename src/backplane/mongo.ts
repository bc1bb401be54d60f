/** MongoDB as the backplane. */
import { createRequire } from 'node:module';
import type { Namespace } from 'socket.io';
import { type Adapter, type BroadcastOptions, MessageType } from 'socket.io-adapter';
import { type Answers, sendable } from './answer';
import { type Inbox, InvalidMessage, isClusterMessage } from './backend-message';
import type { DatabaseSettings } from '../config/adapter';
import type { AdapterFactory } from '../config/options';
import { closeInTime, DatabaseBackplane } from './database';
import type { Logger } from '../egg';
import { toError } from '../errors';
import type { Backplane } from './backplane';
import { CONNECT_TIMEOUT } from './pulsed-backplane';
import { encoded, failFast, isMissed, locally } from './wrappers/local-first';

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

/** What `@socket.io/mongo-adapter` exports. */
export interface MongoPackage {
  createAdapter(collection: object, options: object): (nsp: Namespace) => Adapter;
}

/** The size of the capped collection that is made where there is none, in bytes. */
const COLLECTION_SIZE = 1_000_000;

export class MongoBackplane extends DatabaseBackplane {
  readonly createAdapter: AdapterFactory;
  readonly #client: MongoClient;
  readonly #database: string;
  readonly #collection: string;
  #hasCollection = false;

  /** @param path where the package has been found: mongodb comes with it */
  constructor({ options }: DatabaseSettings, logger: Logger, { createAdapter }: MongoPackage, path: string) {
    const { url, database, collection = 'socket.io-adapter-events', ...others } = options;
    super(`MongoDB at ${addressOf(String(url))}`, 'IO_DATABASE_DOWN', logger);
    const { MongoClient } = createRequire(path)('mongodb') as { MongoClient: new (url: string, options: object) => MongoClient };
    this.#client = new MongoClient(String(url), { serverSelectionTimeoutMS: CONNECT_TIMEOUT });
    this.#database = String(database);
    this.#collection = String(collection);
    const create = createAdapter(this.#client.db(this.#database).collection(this.#collection), others);
    this.createAdapter = nsp => failFast(checkDocuments(publishAside(create(nsp), this, this.answers), this.inbox, this.#collection), this);
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

  protected reconnect(): void {} // the client does that itself

  protected async disconnect(): Promise<void> {
    await closeInTime(this.#client.close());
  }
}

/** For the log, without the password. */
function addressOf(url: string): string {
  return url.replace(/^.*?:\/\/(.*@)?([^/?]*).*$/, '$2');
}

/** The adapter inserts a broadcast first, waits, and reaches no client of this server where that fails. Here it does both at once. */
function publishAside(adapter: Adapter, backplane: Backplane, answers: Answers): Adapter {
  const broadcast = adapter.broadcast.bind(adapter);
  const insert = (Reflect.get(adapter, 'publish') as (document: object) => Promise<string>).bind(adapter); // declared as private
  const publish = (document: object): Promise<string> => {
    const published = backplane.isDown ? Promise.reject(backplane.error()) : insert(sendable(document, answers));
    published.catch(() => {
      if (isMissed(document)) backplane.countLost();
    }); // the adapter does not handle all rejections
    return published;
  };
  return Object.assign(adapter, {
    publish,
    broadcast(packet: object, opts: BroadcastOptions): void {
      if (!opts.flags?.local) void publish({ type: MessageType.BROADCAST, data: { packet, opts: encoded(opts) } });
      broadcast(packet, locally(opts));
    },
  });
}

/** Lets the adapter see only documents that one of its kind can have inserted. */
function checkDocuments(adapter: Adapter, inbox: Inbox, collection: string): Adapter {
  const onEvent = (Reflect.get(adapter, 'onEvent') as (event: object) => Promise<void>).bind(adapter); // not declared
  return Object.assign(adapter, {
    async onEvent(event: { readonly fullDocument?: unknown }): Promise<void> {
      try {
        if (!isClusterMessage(event.fullDocument)) throw new InvalidMessage();
        await onEvent(event);
      } catch (error) {
        inbox.fail(collection, error);
      }
    },
  });
}
