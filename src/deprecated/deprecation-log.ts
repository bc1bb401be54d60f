/** The warnings of old calls, each once, and the callbacks that these took. */
import type { Logger } from '../egg';
import { messageOf } from '../errors';

export type Callback<Result = void> = (error: unknown, result?: Result) => void;

export class DeprecationLog {
  readonly #logger: Logger;
  readonly #warned = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param table as `nsp.sockets` */
  onRead(table: string, use: string): (how: 'key' | 'keys') => void {
    return how => (how === 'key' ? this.warn(`${table}[key]`, use) : this.warn(`Object.keys(${table})`, `[...${table}.keys()]`));
  }

  /** A socket joins a room that it would not have joined in Socket.IO 2. */
  warnOfRoom(): void {
    if (this.#warned.has('rooms')) return;
    this.#warned.add('rooms');
    const problem =
      'a socket joins a room whose name is not a string; that is another room than the one of the same name as a string, which was not so in Socket.IO 2: use strings everywhere, as socket.join(String(id))';
    this.#logger.warn(messageOf('IO_ROOM_NOT_STRING', problem));
  }

  /** A plugin has put itself in the place of the method by which a socket gets the events of its client. */
  warnOfOnevent(): void {
    if (this.#warned.has('onevent')) return;
    this.#warned.add('onevent');
    const problem =
      'something has replaced socket.onevent, as socketio-wildcard and its like do: routes and packet middleware may not be reached any more; remove it, and use socket.onAny(listener) or packet middleware';
    this.#logger.warn(messageOf('IO_ONEVENT_REPLACED', problem));
  }

  /** Warns of an old call, once. */
  warn(old: string, use: string, of = 'Socket.IO 2'): void {
    if (this.#warned.has(old)) return;
    this.#warned.add(old);
    this.#logger.warn(messageOf('IO_DEPRECATED', `${old} is of ${of}; use ${use}`));
  }

  /** Calls the callback of an old call with the result of the new one. What fails goes to the callback, or into the log. */
  answer<Result>(callback: Callback<Result> | undefined, work: () => Promise<Result> | Result): void {
    // an async function, so that a throw of the callback is told apart from that of the work, and neither is lost
    const answer = async (): Promise<void> => {
      let result: Result;
      try {
        result = await work();
      } catch (error) {
        if (!callback) throw error;
        callback(error);
        return;
      }
      callback?.(null, result);
    };
    answer().catch((error: unknown) => this.#logger.error('[egg-socket.io] the callback of a deprecated call failed:', error));
  }
}
