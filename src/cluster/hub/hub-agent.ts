/** Questions of a worker to the agent, whose memory the workers of one machine share. Each kind of question has an answerer in the agent. */
import { OutageError } from '../../errors';
import { HUB, jsonContent, NUMBERED, type Publication, type Reply } from './hub-frames';
import { Message, type Part } from './hub-message';
import type { HubOutbox } from './hub-outbox';

/** Time in ms for the agent to answer. */
const TIMEOUT = 5000;

/**
 * Answers questions of one kind in the agent. What it returns or resolves with is the reply, as JSON; the message of what it throws reaches the
 * worker.
 * @param request what the worker has asked, written by this plugin there
 * @param frames those of the event that is to get its position, if it is one
 */
export type Answerer = (request: unknown, frames: readonly Part[]) => unknown;

/** A question without a reply. */
interface Waiting {
  readonly settle: (reply: unknown) => void;
  readonly fail: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class HubAgent {
  /** Undefined while the hub is not connected. */
  #outbox: HubOutbox | undefined;
  /** By the id of the question. */
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /**
   * Resolves with the agent's reply to a question. Values are copied as JSON. The agent forgets everything if it is replaced.
   * @throws OutageError (rejects) in an outage of the hub, and after 5 s without a reply: the agent may have got the question
   */
  ask(kind: string, request: unknown): Promise<unknown> {
    return new Promise((settle, fail) => {
      if (!this.#outbox) throw down('it is not connected');
      const id = ++this.#lastId;
      if (!this.#outbox.push(HUB, jsonContent({ type: 'ask', id, kind, request }))) {
        throw new OutageError('IO_HUB_OVERFLOW', 'too many messages are queued for the hub; the agent was not asked');
      }
      this.#expect(id, settle, fail);
    });
  }

  /**
   * Asks the agent for the position of an event, with which it forwards the event to the other workers. Returns false if nothing can be sent.
   * @param settle called with the reply, in order with the messages of other workers
   * @param fail called where `ask` would reject: the agent may have forwarded the event
   */
  publish(
    frames: readonly Part[],
    publication: Pick<Publication, 'event' | 'kind' | 'request' | 'isAwaited'>,
    settle: (reply: unknown) => void,
    fail: (error: Error) => void,
  ): boolean {
    const id = ++this.#lastId;
    const head: Publication = { type: 'ask', id, ...publication };
    if (!this.#outbox?.push(NUMBERED, new Message(head, frames))) return false;
    this.#expect(id, settle, fail);
    return true;
  }

  /** To be called when the hub is connected. */
  open(outbox: HubOutbox): void {
    this.#outbox = outbox;
  }

  /** To be called when the hub is disconnected: no reply comes any more. */
  clear(): void {
    this.#outbox = undefined;
    for (const id of this.#waiting.keys()) this.#take(id)?.fail(down('the connection has ended'));
  }

  receive({ id, value, error }: Reply): void {
    const waiting = this.#take(id);
    if (error === undefined) waiting?.settle(value);
    else waiting?.fail(new Error(error));
  }

  #expect(id: number, settle: (reply: unknown) => void, fail: (error: Error) => void): void {
    const timer = setTimeout(() => this.#take(id)?.fail(down(`it has not answered in ${TIMEOUT} ms`)), TIMEOUT).unref();
    this.#waiting.set(id, { settle, fail, timer });
  }

  /** Undefined if the question has been answered, or has failed. */
  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }
}

function down(reason: string): OutageError {
  return new OutageError('IO_HUB_DOWN', `the agent cannot be asked: ${reason}`);
}
