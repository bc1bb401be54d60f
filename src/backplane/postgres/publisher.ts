/** What this server sends: in order, since a large message is two statements, and what comes after it must not overtake it. */
import { asNotification, channelOf, headerOf, type Message } from './messages';
import type { MessagePack } from './pg';
import type { Queries } from './queries';
import { Queue } from './queue';
import type { FailedQuery } from './refused';
import type { Table } from './table';

interface Options {
  readonly queries: Queries;
  readonly table: Table;
  readonly messagePack: MessagePack;
  /** What the names of channels begin with. */
  readonly prefix: string;
  /** What is larger goes through the table, in bytes. */
  readonly threshold: number;
  /** A message has not been sent. */
  onFailure(failure: FailedQuery, message: Message): void;
  /** A message is not sent, since too much waits. */
  onOverflow(message: Message): void;
  /** Nothing waits any more. */
  onDrain(): void;
}

/** A message that waits to be sent. */
interface Waiting {
  /** Without its data. */
  readonly message: Message;
  /** As JSON, or in MessagePack where it goes through the table. */
  readonly encoded: string | Uint8Array;
}

export class Publisher {
  readonly #options: Options;
  readonly #queue: Queue<Waiting>;

  constructor(options: Options) {
    this.#options = options;
    this.#queue = new Queue(
      async waiting => this.#send(waiting),
      () => options.onDrain(),
    );
  }

  /** Sends a message, after those that wait. */
  publish(message: Message): void {
    const { threshold, messagePack, onOverflow } = this.#options;
    const { uid, nsp, type } = message;
    if (this.#queue.isFull) {
      onOverflow(message);
      return;
    }
    const encoded = asNotification(message, threshold) ?? messagePack.encode(message);
    this.#queue.add({ message: { uid, nsp, type }, encoded }, encoded.length);
  }

  /** Returns what waits, and sends none of it: when it could be sent, nobody expects it any more. */
  drop(): Message[] {
    return this.#queue.drop().map(({ message }) => message);
  }

  /** Resolves when nothing waits any more. */
  async flush(): Promise<void> {
    await this.#queue.flush();
  }

  async #send({ message, encoded }: Waiting): Promise<void> {
    const { prefix, onFailure, queries } = this.#options;
    const channel = channelOf(prefix, message.nsp);
    try {
      if (typeof encoded === 'string') await queries.notify(channel, encoded);
      else await queries.notify(channel, headerOf(message, await this.#insert(encoded)));
    } catch (error) {
      const failure = error as FailedQuery; // queries throw no other
      // the database may have an encoding that lacks a character; bytes it takes
      const bytes = typeof encoded === 'string' && failure.meaning === 'value' ? this.#asMessagePack(encoded) : undefined;
      if (bytes) await this.#send({ message, encoded: bytes });
      else onFailure(failure, message);
    }
  }

  async #insert(bytes: Uint8Array): Promise<string> {
    await this.#options.table.open(); // the boot does not wait for it
    return this.#options.queries.insert(bytes);
  }

  /** Undefined where it takes no value that is nested so deeply. */
  #asMessagePack(json: string): Uint8Array | undefined {
    try {
      return this.#options.messagePack.encode(JSON.parse(json));
    } catch {
      return undefined;
    }
  }
}
