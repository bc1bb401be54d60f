/** What servers hand over to each other, in Redis: a key for each text, which Redis removes by itself. */
import type { HandoverStore } from '../../store/handover-store';
import type { Keys } from './keys';

export class RedisHandovers implements HandoverStore {
  readonly lasts = true;
  readonly #keys: Keys;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  async put(name: string, text: string, ttl: number): Promise<void> {
    if ((await this.#set(name, text, ttl)) === undefined) throw new Error('Redis refuses SET with GET, which it knows since 6.2');
  }

  /** Without GETDEL, or DEL, for which a user of Redis might have no right. */
  async take(name: string): Promise<string | undefined> {
    const text = await this.#set(name, '', 1);
    return text instanceof Buffer && text.length > 0 ? text.toString() : undefined;
  }

  /** Resolves with the former text: null if there is none, and undefined if Redis refuses. */
  async #set(name: string, text: string, ttl: number): Promise<unknown> {
    return this.#keys.run('set', [`${this.#keys.prefix}:handover:${name}`, text, 'PX', ttl, 'GET'], /./);
  }
}
