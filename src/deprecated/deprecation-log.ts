/** Logs each deprecated call once, and calls the callbacks that such calls took. */
import type { Logger } from '../egg';
import { messageOf, type RuntimeCode } from '../errors';

export type Callback<Result = void> = (error: unknown, result?: Result) => void;

export class DeprecationLog {
  readonly #logger: Logger;
  readonly #warned = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Returns the `onRead` of a keyed table. @param table for example `nsp.sockets` */
  onRead(table: string, use: string): (how: 'key' | 'keys') => void {
    return how => (how === 'key' ? this.warn(`${table}[key]`, use) : this.warn(`Object.keys(${table})`, `[...${table}.keys()]`));
  }

  /** Warns that a socket joins a room whose name is not a string. */
  warnOfRoom(): void {
    const problem =
      'a socket joins a room whose name is not a string; unlike in Socket.IO 2, 42 and "42" are two rooms: use strings everywhere, as in socket.join(String(id))';
    this.#warnOnce('rooms', 'IO_ROOM_NOT_STRING', problem);
  }

  /** Warns that a package has replaced `socket.onevent`, which receives the events of the client. */
  warnOfOnevent(): void {
    const problem =
      'a package, such as socketio-wildcard, has replaced socket.onevent: routes and packet middleware may not be called any more; remove it, and use socket.onAny(listener) or packet middleware';
    this.#warnOnce('onevent', 'IO_ONEVENT_REPLACED', problem);
  }

  /** Warns of a deprecated call, once. */
  warn(old: string, use: string): void {
    this.#warnOnce(old, 'IO_DEPRECATED', `${old} is deprecated; use ${use}`);
  }

  /** Calls the callback of a deprecated call with the result of its replacement. An error goes to the callback, or else to the log. */
  answer<Result>(callback: Callback<Result> | undefined, work: () => Promise<Result> | Result): void {
    // async, so that an error of the callback itself ends up in the log
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

  #warnOnce(key: string, code: RuntimeCode, problem: string): void {
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#logger.warn(messageOf(code, problem));
  }
}
