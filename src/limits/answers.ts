/** What is known of the messages of a client before they are decoded: answers to questions of this server, and messages with bytes. */
import type { Socket as EngineSocket } from 'engine.io';
import { namespacesOf, socketInternals } from '../internals/socket-io';
import { clientOf } from './clients';

/** In Socket.IO's own protocol: the number of its bytes, its namespace and its id. */
const ANSWER = /^[36](?:\d{1,3}-)?(?:(\/[^,]{0,500}),)?(\d{1,15})/;

export class Answers {
  readonly #connection: EngineSocket;
  /** False with a parser of the app: nothing can be said of a message then. */
  readonly areKnown: boolean;

  constructor(connection: EngineSocket, areKnown: boolean) {
    this.#connection = connection;
    this.areKnown = areKnown;
  }

  /** Whether a message does not count: an answer that is awaited, or bytes, which belong to the message before them. */
  isFree(message: unknown): boolean {
    return this.isBytes(message) || this.isAwaited(message);
  }

  isBytes(message: unknown): boolean {
    return this.areKnown && message !== undefined && typeof message !== 'string';
  }

  /** Whether a message is an answer to a question of the server. Handlers may wait for it. */
  isAwaited(message: unknown): boolean {
    if (!this.areKnown || typeof message !== 'string' || (message[0] !== '3' && message[0] !== '6')) return false;
    const client = clientOf(this.#connection);
    if (!client) return false;
    const [, nsp = '/', id] = ANSWER.exec(message) ?? [];
    const socket = namespacesOf(client).get(nsp);
    return socket !== undefined && socketInternals(socket).acks.has(Number(id));
  }

  /** The number of messages with bytes that belong to a message and follow it. */
  attachmentsOf(message: unknown): number {
    if (!this.areKnown || typeof message !== 'string' || (message[0] !== '5' && message[0] !== '6')) return 0;
    return Number.parseInt(message.slice(1, 16), 10) || 0; // the decoder refuses a packet that does not say it
  }

  /** How many questions of the server have no answer. */
  get open(): number {
    let sum = 0;
    const client = clientOf(this.#connection);
    if (client) for (const socket of namespacesOf(client).values()) sum += socketInternals(socket).acks.size;
    return sum;
  }
}
