/** One worker's view of the others through the hub: their names, messages to and from them, and requests that wait for replies. */
import type { Backplane } from '../../backplane/backplane';
import { OutageError } from '../../errors';
import { EVERYONE } from './hub-frames';
import { Message, type Part } from './hub-message';
import type { HubOutbox } from './hub-outbox';
import { readRequest, type Reply, type Request } from './hub-request';

/** Handles the replies of other workers. */
export interface ReplyHandler {
  onReply(from: number, reply: Reply, parts: readonly Part[]): void;
  /** Called when a worker has left, and will not reply any more. */
  onLeft(from: number): void;
  /** Called when no worker will reply any more. */
  onOutage(error: Error): void;
}

/** Handles the requests of other workers for one namespace. */
export interface Receiver {
  /** Whether the namespace still uses the adapter that registered the receiver. */
  readonly isInUse: boolean;
  /** Returns a promise if the request takes longer. */
  receive(from: number, request: Request, parts: readonly Part[]): Promise<void> | void;
}

export class HubPeers {
  readonly backplane: Backplane;
  /** Whether all running workers are known, so that they can be asked. */
  isComplete = false;
  /** Called with the name of each worker that leaves. */
  onLeft: ((name: string) => void) | undefined;
  /** Names by number. */
  readonly #names = new Map<number, string>();
  readonly #receiverOf: (nsp: string) => Receiver | undefined;
  /** By namespace. */
  readonly #receivers = new Map<string, Receiver>();
  readonly #handlers = new Map<number, ReplyHandler>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isClosed = false;
  #lastId = 0;
  /** Set while the hub is connected. */
  #outbox: HubOutbox | undefined;

  /** @param receiverOf finds the receiver of a namespace. Default: the registered one. */
  constructor(backplane: Backplane, receiverOf?: (nsp: string) => Receiver | undefined) {
    this.backplane = backplane;
    this.#receiverOf = receiverOf ?? (nsp => this.#receivers.get(nsp));
  }

  get numbers(): Iterable<number> {
    return this.#names.keys();
  }

  get names(): Iterable<string> {
    return this.#names.values();
  }

  get count(): number {
    return this.#names.size;
  }

  /** The number of bytes queued for the hub. */
  get backlog(): number {
    return this.#outbox?.size ?? 0;
  }

  /** To be called when the hub is connected. */
  open(outbox: HubOutbox): void {
    this.#outbox = outbox;
  }

  add(number: number, name: string): void {
    this.#names.set(number, name);
  }

  /** Returns the name of the worker that has left. */
  remove(number: number): string | undefined {
    const name = this.#names.get(number);
    this.#names.delete(number);
    this.#eachHandler(handler => handler.onLeft(number));
    if (name !== undefined) this.onLeft?.(name);
    return name;
  }

  /** To be called when the hub is disconnected: forgets all workers, and fails open requests. */
  clear(): void {
    this.#outbox = undefined;
    this.isComplete = false;
    this.#names.clear();
    this.#eachHandler(handler => handler.onOutage(this.backplane.error()));
    this.#handlers.clear();
  }

  /** Sends queued messages, and cancels all timers. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#outbox?.flush();
  }

  /** Sends a request to all other workers. Returns false if it was dropped. */
  publish(request: Request, parts: readonly Part[] = []): boolean {
    if (!this.#outbox) this.backplane.countLost();
    else if (this.#outbox.push(EVERYONE, new Message(request, parts))) return true;
    else this.backplane.losses.ofOthers();
    return false;
  }

  reply(to: number, reply: Reply, parts: readonly Part[] = []): void {
    this.#outbox?.push(to, new Message(reply, parts));
  }

  /** Registers a handler. Returns the id for the request; to be passed to `forget` when no reply is expected any more. */
  expectReplies(handler: ReplyHandler): number {
    this.#handlers.set(++this.#lastId, handler);
    return this.#lastId;
  }

  forget(id: number): void {
    this.#handlers.delete(id);
  }

  /** Registers the receiver of a namespace. Returns a function that removes it. */
  register(nsp: string, receiver: Receiver): () => void {
    this.#receivers.set(nsp, receiver);
    return () => {
      if (this.#receivers.get(nsp) === receiver) this.#receivers.delete(nsp);
    };
  }

  /** Handles a message. Returns a promise if that takes longer. @throws InvalidMessage if no worker can have written it */
  receive(from: number, content: Buffer): Promise<void> | void {
    const { head, parts } = readRequest(content);
    if (head.type === 'reply') {
      this.#handlers.get(head.id)?.onReply(from, head, parts);
      return;
    }
    const receiver = this.#receiverOf(head.nsp);
    if (receiver?.isInUse) return receiver.receive(from, head, parts);
    if ('id' in head && head.id !== undefined) this.reply(from, { type: 'reply', id: head.id, isNobody: true });
  }

  /** Calls a function after `delay` ms, unless the backplane is closed before. */
  later(delay: number | undefined, run: () => void): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delay).unref();
    this.#timers.add(timer);
  }

  /** The error of a request that was dropped. */
  overflowError(): Error {
    return new OutageError('IO_HUB_OVERFLOW', 'too many messages are queued for the hub; the other workers were not asked');
  }

  #eachHandler(tell: (handler: ReplyHandler) => void): void {
    for (const handler of this.#handlers.values()) {
      try {
        tell(handler);
      } catch (error) {
        this.backplane.logger.error('[egg-socket.io] a callback for the answers of other workers failed:', error);
      }
    }
  }
}
