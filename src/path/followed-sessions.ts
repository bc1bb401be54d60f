/** Ends the connections of an HTTP session that ends: `config.io.auth.followSession`. */
import { createHash } from 'node:crypto';
import type { EggApplication } from '../egg';
import { SetupError } from '../errors';
import type { Client } from './login';
import { endLogins, REVOKED } from './login-end';

/** Time in ms for which a session that has ended is remembered: a connection may have read it just before, and not be known yet. */
const MEMORY = 10_000;

export class FollowedSessions {
  /** Tells the other workers and servers of a session that has ended, by its hash. Set when they can be reached. */
  tell: ((hash: string) => void) | undefined;
  /** By the hash of the session's key, which is a secret: whoever has it is logged in. */
  readonly #connections = new Map<string, Set<Client>>();
  readonly #hashes = new WeakMap<Client, string>();
  /** When sessions ended, by their hash, the earliest first. */
  readonly #ended = new Map<string, number>();
  #unwatch: (() => void) | undefined;

  /** To be called when all plugins have been set up. @throws SetupError unless sessions are in an external store */
  static of(app: EggApplication): FollowedSessions {
    const { store, ContextStore } = app.config.session ?? {};
    const owner: unknown = typeof ContextStore === 'function' ? ContextStore.prototype : store;
    if (typeof app.middlewares['session'] !== 'function' || typeof owner !== 'object' || owner === null) {
      const problem = 'config.io.auth.followSession needs sessions in an external store: a session in a cookie ends without a word';
      throw new SetupError('IO_CONFIG_INVALID', `${problem}; set app.sessionStore in didLoad() of app.js or before, or remove the option`);
    }
    const sessions = new FollowedSessions();
    sessions.#unwatch = watchStore(owner, key => sessions.#end(key));
    return sessions;
  }

  /** The number of connections that are followed. */
  get size(): number {
    return [...this.#connections.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** To be called when the session of a connection has been read, which is refused if the session has ended just now. */
  add(connection: Client): void {
    const key = connection.session?.key;
    if (key === undefined || !connection.isConnecting) return;
    const hash = hashOf(key);
    if (this.#hasEnded(hash)) {
      connection.refuse(REVOKED);
      return;
    }
    this.#hashes.set(connection, hash);
    this.#connections.set(hash, (this.#connections.get(hash) ?? new Set()).add(connection));
  }

  /** To be called when the client has gone. */
  delete(connection: Client): void {
    const hash = this.#hashes.get(connection);
    if (hash === undefined) return;
    const connections = this.#connections.get(hash);
    if (connections?.delete(connection) && connections.size === 0) this.#connections.delete(hash);
  }

  /** Ends the connections of a session to this process. @param hash from another process */
  receive(hash: unknown): void {
    if (typeof hash !== 'string') return;
    this.#forget();
    this.#ended.set(hash, Date.now());
    endLogins([...(this.#connections.get(hash) ?? [])], REVOKED, true);
  }

  /** Leaves the store as it was: it may outlive the app. */
  close(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #end(key: string): void {
    const hash = hashOf(key);
    this.receive(hash);
    this.tell?.(hash);
  }

  #hasEnded(hash: string): boolean {
    this.#forget();
    return this.#ended.has(hash);
  }

  #forget(): void {
    const since = Date.now() - MEMORY;
    for (const [hash, at] of this.#ended) {
      if (at > since) return;
      this.#ended.delete(hash);
    }
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}

/**
 * Calls back when a session has been removed from its store, which is what `ctx.session = null` and `session.regenerate()` do. Neither koa-session
 * nor Egg has an event for it.
 * @param owner of the method: the store, or the prototype of stores that are made for each request
 * @returns what ends it
 */
function watchStore(owner: object, onEnd: (key: string) => void): () => void {
  const former = Object.getOwnPropertyDescriptor(owner, 'destroy');
  const destroy = Reflect.get(owner, 'destroy') as (...args: unknown[]) => unknown; // Egg has checked it
  let listener: typeof onEnd | undefined = onEnd;
  const watched = async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    try {
      return await Reflect.apply(destroy, this, args);
    } finally {
      if (typeof args[0] === 'string') listener?.(args[0]); // also after an error: the session may have been removed
    }
  };
  Object.defineProperty(owner, 'destroy', { configurable: true, writable: true, value: watched });
  return () => {
    listener = undefined;
    if (Reflect.get(owner, 'destroy') !== watched) return; // somebody else has wrapped it since, and goes on to call it
    if (former) Object.defineProperty(owner, 'destroy', former);
    else Reflect.deleteProperty(owner, 'destroy');
  };
}
