/** Reads the messages of other servers in order: a large one is fetched from the table, and later messages wait for it. */
import { type Inbox, InvalidMessage } from '../inbox';
import { decodeObject, type Header, isHeader, type Message, parse } from './messages';
import type { MessagePack } from './pg';
import type { Queries } from './queries';
import { Queue } from './queue';
import { FailedQuery } from './refused';

interface Options {
  readonly queries: Queries;
  readonly messagePack: MessagePack;
  readonly inbox: Inbox;
  /** Called with each message of another server. */
  onMessage(message: Message & { readonly nsp: string }): void;
  /** Called when a message cannot be fetched. */
  onFailure(failure: FailedQuery): void;
  /** Called when a message of another server is lost by that. */
  onLost(): void;
  /** Called when a message of another server is dropped, since too much waits. */
  onOverflow(message: Message): void;
  /** Called when nothing waits any more. */
  onDrain(): void;
}

interface Waiting {
  readonly channel: string;
  readonly message: Message | Header;
}

export class Reader {
  readonly #options: Options;
  readonly #ownIds = new Set<unknown>();
  readonly #queue: Queue<Waiting>;

  constructor(options: Options) {
    this.#options = options;
    this.#queue = new Queue(
      async waiting => this.#read(waiting),
      () => options.onDrain(),
    );
  }

  /** Ignores messages with this id, which come from this server. */
  ignore(uid: unknown): void {
    this.#ownIds.add(uid);
  }

  /** Ends `ignore`, when no more messages with this id can arrive. */
  forget(uid: unknown): void {
    this.#ownIds.delete(uid);
  }

  /** Reads a notification after all earlier ones. */
  read(channel: string, payload: string): void {
    const { inbox, onOverflow } = this.#options;
    try {
      const message = parse(payload);
      if (this.#ownIds.has(message.uid)) return;
      if (this.#queue.isFull) onOverflow(message);
      else this.#queue.add({ channel, message }, Buffer.byteLength(payload));
    } catch (error) {
      inbox.fail(channel, error);
    }
  }

  async #read({ channel, message }: Waiting): Promise<void> {
    const { inbox, onMessage, onFailure, onLost } = this.#options;
    try {
      const complete = isHeader(message) ? await this.#fetch(String(message.attachmentId)) : message;
      const { nsp } = complete;
      if (nsp === undefined) throw new InvalidMessage();
      onMessage({ ...complete, nsp });
    } catch (error) {
      onLost();
      if (error instanceof FailedQuery) onFailure(error);
      else inbox.fail(channel, error);
    }
  }

  async #fetch(id: string): Promise<Message> {
    const { queries, messagePack } = this.#options;
    const bytes = await queries.select(id);
    if (!bytes) throw new Error(`row ${id} of the table, with a message, is gone`);
    return decodeObject(messagePack.decode, bytes);
  }
}
