/** The answers of a client to questions of this server, seen before they are decoded. They do not count, and handlers may wait for them. */
import type { Socket } from 'socket.io';
import { namespacesOf, socketInternals } from '../internals/socket-io';

/** In Socket.IO's own protocol: the number of its bytes, its namespace and its id. */
const ANSWER = /^[36](?:(\d{1,3})-)?(?:(\/[^,]{0,500}),)?(\d{1,15})/;

export class Answers {
  /** Set with the first namespace that the client has asked for. */
  client: Socket['client'] | undefined;
  /** So many messages with bytes follow an answer that has overtaken others. */
  #following = 0;
  readonly #areKnown: boolean;

  /** @param areKnown false with a parser of the app: nothing can be said of a message then */
  constructor(areKnown: boolean) {
    this.#areKnown = areKnown;
  }

  /** Whether a message does not count: an answer that is awaited, or bytes, which belong to the message before them. */
  isFree(message: unknown): boolean {
    if (!this.#areKnown) return false;
    return typeof message === 'string' ? this.#isAwaited(message) : message !== undefined;
  }

  /** Whether a message may pass others that wait for handlers. */
  overtakes(message: unknown): boolean {
    if (!this.#areKnown) return false;
    if (typeof message !== 'string') return this.#following > 0 && this.#following-- > 0;
    if (!this.#isAwaited(message)) return false;
    this.#following = Number(ANSWER.exec(message)?.[1] ?? 0);
    return true;
  }

  /** Whether the server has asked the client something. */
  get areAwaited(): boolean {
    if (this.client) for (const socket of namespacesOf(this.client).values()) if (socketInternals(socket).acks.size > 0) return true;
    return false;
  }

  #isAwaited(message: string): boolean {
    if (!this.client || (message[0] !== '3' && message[0] !== '6')) return false;
    const [, , nsp = '/', id] = ANSWER.exec(message) ?? [];
    const socket = namespacesOf(this.client).get(nsp);
    return socket !== undefined && socketInternals(socket).acks.has(Number(id));
  }
}
