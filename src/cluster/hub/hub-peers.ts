/** The other workers, as one worker reaches them by way of the hub: who they are, what they are told, and what one asks of another. */
import type { Backplane } from '../../backplane/backplane';
import { OutageError } from '../../errors';
import { EVERYONE } from './hub-frames';
import { Message, type Part } from './hub-message';
import type { HubOutbox } from './hub-outbox';
import { readRequest, type Reply, type Request } from './hub-request';

/** Waits for the replies of other workers. */
export interface ReplyHandler {
  onReply(from: number, reply: Reply, parts: readonly Part[]): void;
  /** That worker will not reply any more. */
  onLeft(from: number): void;
  /** No worker will. */
  onOutage(error: Error): void;
}

/** Does what other workers ask of one namespace. */
export interface Receiver {
  /** Whether the namespace still uses the adapter that has registered it. */
  readonly isInUse: boolean;
  /** Returns a promise for what is not done yet, if anything. */
  receive(from: number, request: Request, parts: readonly Part[]): Promise<void> | void;
}

export class HubPeers {
  readonly backplane: Backplane;
  /** Whether all workers that are there are known: only then they can be asked. */
  isComplete = false;
  /** Names by number. */
  readonly #names = new Map<number, string>();
  readonly #receiverOf: (nsp: string) => Receiver | undefined;
  /** By namespace. */
  readonly #receivers = new Map<string, Receiver>();
  readonly #handlers = new Map<number, ReplyHandler>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastId = 0;
  /** There once the hub has said welcome. */
  #outbox: HubOutbox | undefined;

  /** @param receiverOf finds the receiver of a namespace. Default: the one that is registered for it */
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

  /** Bytes that wait for the hub. */
  get backlog(): number {
    return this.#outbox?.size ?? 0;
  }

  /** The hub is there. */
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
    return name;
  }

  /** The hub is gone, and all workers with it: requests that are open fail. */
  clear(): void {
    this.#outbox = undefined;
    this.isComplete = false;
    this.#names.clear();
    this.#eachHandler(handler => handler.onOutage(this.backplane.error()));
    this.#handlers.clear();
  }

  /** Sends what is still to be sent, and runs nothing later any more. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#outbox?.flush();
  }

  /** To all other workers. Returns whether it is on its way. */
  publish(request: Request, parts: readonly Part[] = []): boolean {
    if (this.#outbox) return this.#outbox.push(EVERYONE, new Message(request, parts));
    this.backplane.countLost();
    return false;
  }

  reply(to: number, reply: Reply, parts: readonly Part[] = []): void {
    this.#outbox?.push(to, new Message(reply, parts));
  }

  /** Returns the id to publish the request with. `forget` it when no reply is expected any more. */
  expectReplies(handler: ReplyHandler): number {
    this.#handlers.set(++this.#lastId, handler);
    return this.#lastId;
  }

  forget(id: number): void {
    this.#handlers.delete(id);
  }

  /** From now on this receives what others ask of that namespace. Returns a function that ends it. */
  register(nsp: string, receiver: Receiver): () => void {
    this.#receivers.set(nsp, receiver);
    return () => {
      if (this.#receivers.get(nsp) === receiver) this.#receivers.delete(nsp);
    };
  }

  /** Returns a promise for what is not done yet, if anything. @throws InvalidMessage if it is no message of a worker */
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

  /** Runs something after some ms, unless the backplane has been closed by then. */
  later(delay: number | undefined, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delay).unref();
    this.#timers.add(timer);
  }

  /** The error of a request that has not been published. */
  overflowError(): Error {
    return new OutageError('IO_HUB_OVERFLOW', 'more waits for the hub than it takes; the other workers have not been asked');
  }

  #eachHandler(tell: (handler: ReplyHandler) => void): void {
    for (const handler of this.#handlers.values()) {
      try {
        tell(handler);
      } catch (error) {
        this.backplane.logger.error('[egg-socket.io] what has waited for other workers has failed:', error);
      }
    }
  }
}
