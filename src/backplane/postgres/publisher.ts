/** Sends the messages of this server in order: a large message takes two statements, and later messages must not overtake it. */
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
  /** The beginning of the names of channels. */
  readonly prefix: string;
  /** Size in bytes above which a message goes through the table. */
  readonly threshold: number;
  /** Called when a message could not be sent. */
  onFailure(failure: FailedQuery, message: Message): void;
  /** Called when a message is dropped, since too much waits. */
  onOverflow(message: Message): void;
  /** Called when nothing waits any more. */
  onDrain(): void;
}

/** A message that waits to be sent. */
interface Waiting {
  /** The message without its data. */
  readonly message: Message;
  /** The message as JSON, or as MessagePack if it goes through the table. */
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

  /** Sends a message after all waiting ones. */
  publish(message: Message): void {
    const { threshold, messagePack, onOverflow } = this.#options;
    const { uid, nsp, type } = message;
    if (this.#queue.isFull) {
      onOverflow(message);
      return;
    }
    const encoded = asNotification(message, threshold) ?? messagePack.encode(message);
    this.#queue.add({ message: { uid, nsp, type }, encoded }, Buffer.byteLength(encoded));
  }

  /** Removes and returns the waiting messages: after an outage, they would arrive too late to be of use. */
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
      const failure = error as FailedQuery; // queries throw no other error
      // the encoding of the database may lack a character, but the table accepts any bytes
      const bytes = typeof encoded === 'string' && failure.meaning === 'value' ? this.#asMessagePack(encoded) : undefined;
      if (bytes) await this.#send({ message, encoded: bytes });
      else onFailure(failure, message);
    }
  }

  async #insert(bytes: Uint8Array): Promise<string> {
    await this.#options.table.open(); // the boot has not waited for the table
    return this.#options.queries.insert(bytes);
  }

  /** Undefined if the message is nested too deeply for MessagePack. */
  #asMessagePack(json: string): Uint8Array | undefined {
    try {
      return this.#options.messagePack.encode(JSON.parse(json));
    } catch {
      return undefined;
    }
  }
}
