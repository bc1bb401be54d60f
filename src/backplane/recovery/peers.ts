/** Questions to the other workers or servers: who has the session of a client? Whoever has it answers; all others say that they do not. */
import { randomUUID } from 'node:crypto';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { emitToServers, receiveFromServers } from '../../internals/server-events';
import { isObject } from '../backend-message';

/** An event of serverSideEmit(), which the app does not see. */
const EVENT = '$io:recovery';

/** Time in ms for an answer. A client waits for it. */
const TIMEOUT = 2000;

/** Questions that may be open at once. A flood of clients with invented ids asks no more of the other servers. */
const MAX_OPEN = 1000;

/** The longest time in ms to find out whether there is any other process. */
const POLL_TIMEOUT = 500;

export type Question = Readonly<Record<string, unknown>>;

/** Returns or resolves with the answer, or with undefined if this process has none. */
type Handler = (question: Question) => object | undefined | Promise<object | undefined>;

/** A question that is open. */
interface Waiting {
  /** To be called with each answer. Without one if a process that had seemed to have an answer has none. */
  receive(answer?: object): void;
  end(): void;
}

export class Peers {
  readonly #adapter: Adapter;
  readonly #handler: Handler;
  readonly #waiting = new Map<string, Waiting>();

  /** @param handler answers the questions of others. May throw: then there is no answer. */
  constructor(adapter: Adapter, nsp: Namespace, handler: Handler) {
    this.#adapter = adapter;
    this.#handler = handler;
    receiveFromServers(nsp, EVENT, (message, reply) => this.#receive(message, reply));
  }

  /** Whether so many questions are open that no client should cause another one. */
  get isBusy(): boolean {
    return this.#waiting.size >= MAX_OPEN;
  }

  /** Resolves with the first answer; with undefined if nobody has one, or the others cannot be asked. Never rejects. */
  async ask(question: object, timeout = TIMEOUT): Promise<Question | undefined> {
    const id = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    /** The number of processes whose answer is on its way. */
    let missing = 0;
    try {
      return await new Promise(resolve => {
        const end = (answer?: object): void => resolve(answer as Question | undefined); // of any fields
        timer = setTimeout(end, timeout).unref();
        const receive = (answer?: object): void => {
          if (answer || --missing === 0) end(answer);
        };
        this.#waiting.set(id, { receive, end });
        this.#send([
          { ...question, id },
          (error: unknown, answers: readonly unknown[]) => {
            missing += answers.filter(hasAnswer => hasAnswer === true).length;
            if (error || missing === 0) end(); // otherwise the answer is on its way, maybe on another one
          },
        ]);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Resolves with whether each of the others has an answer; with undefined if that is not known. Never rejects. @param most time in ms for it */
  async poll(question: object, most = POLL_TIMEOUT): Promise<readonly unknown[] | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const polled = new Promise<readonly unknown[] | undefined>(resolve => {
      timer = setTimeout(resolve, Math.min(most, POLL_TIMEOUT), undefined).unref();
      this.#send([question, (error: unknown, answers: readonly unknown[]) => resolve(error ? undefined : answers)]);
    });
    return polled.finally(() => clearTimeout(timer));
  }

  /** Tells all others something, without an answer. */
  tell(message: object): void {
    this.#send([message]);
  }

  close(): void {
    for (const { end } of this.#waiting.values()) end();
  }

  #receive(message: unknown, reply: ((answer: boolean) => void) | undefined): void {
    if (!isObject(message)) return;
    const { answerTo, answer } = message;
    if (typeof answerTo === 'string') {
      this.#waiting.get(answerTo)?.receive(isObject(answer) ? answer : undefined);
      return;
    }
    const hasAnswer = this.#answer(message);
    reply?.(hasAnswer);
  }

  /** Sends the answer by itself: the asking server waits for the acknowledgements of all others, and one of them may hang. */
  #answer(question: Question): boolean {
    const answer = this.#handler(question);
    const send = (value: object | undefined): void => this.#send([{ answerTo: question['id'], answer: value }]);
    if (answer instanceof Promise) answer.then(send, () => send(undefined));
    else if (answer && question['id'] !== undefined) send(answer);
    return answer !== undefined;
  }

  #send(args: unknown[]): void {
    emitToServers(this.#adapter, [EVENT, ...args], () => {}); // in an outage the question ends by itself
  }
}
