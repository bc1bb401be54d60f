/** Questions to the other workers or servers: who has the session of a client? Whoever has it answers; all others say that they do not. */
import { randomUUID } from 'node:crypto';
import type { Namespace } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { isObject } from '../backend-message';

/** An event of serverSideEmit(), which the app does not see. */
const EVENT = '$io:recovery';

/** Time in ms for an answer. A client waits for it. */
const TIMEOUT = 2000;

/** Questions that may be open at once. A flood of clients with invented ids asks no more of the other servers. */
const MAX_OPEN = 1000;

/** Returns the answer, or undefined if this process has none. */
type Handler = (question: Readonly<Record<string, unknown>>) => object | undefined;

export class Peers {
  readonly #adapter: Adapter;
  readonly #handler: Handler;
  readonly #waiting = new Map<string, (answer: object | undefined) => void>();

  /** @param handler answers the questions of others. May throw: then there is no answer. */
  constructor(adapter: Adapter, nsp: Namespace, handler: Handler) {
    this.#adapter = adapter;
    this.#handler = handler;
    const onServerSideEmit = nsp._onServerSideEmit.bind(nsp);
    Object.assign(nsp, {
      _onServerSideEmit: (args: [string, ...unknown[]]): void => {
        if (args[0] === EVENT) this.#receive(args[1], args[2]);
        else onServerSideEmit(args);
      },
    });
  }

  /** Whether so many questions are open that no client should cause another one. */
  get isBusy(): boolean {
    return this.#waiting.size >= MAX_OPEN;
  }

  /** Resolves with the first answer; with undefined if nobody has one, or the others cannot be asked. Never rejects. */
  async ask(question: object): Promise<Readonly<Record<string, unknown>> | undefined> {
    const id = randomUUID();
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise(resolve => {
        const end = (answer?: object): void => resolve(answer as Record<string, unknown> | undefined); // of any fields
        timer = setTimeout(end, TIMEOUT).unref();
        this.#waiting.set(id, end);
        this.#send([
          { ...question, id },
          (error: unknown, answers: readonly unknown[]) => {
            if (error || !answers.includes(true)) end(); // otherwise the answer is on its way, maybe on another one
          },
        ]);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Tells all others something, without an answer. */
  tell(message: object): void {
    this.#send([message]);
  }

  close(): void {
    for (const end of this.#waiting.values()) end(undefined);
  }

  #receive(message: unknown, acknowledge: unknown): void {
    if (!isObject(message)) return;
    const { answerTo, answer } = message;
    if (typeof answerTo === 'string') {
      if (isObject(answer)) this.#waiting.get(answerTo)?.(answer);
      return;
    }
    const hasAnswer = this.#answer(message);
    if (isCallback(acknowledge)) acknowledge(hasAnswer);
  }

  /** Sends the answer by itself: the asking server waits for the acknowledgements of all others, and one of them may hang. */
  #answer(question: Readonly<Record<string, unknown>>): boolean {
    const answer = this.#handler(question);
    if (answer) this.#send([{ answerTo: question['id'], answer }]);
    return answer !== undefined;
  }

  /** Rejected or not: in an outage the question ends by itself. */
  #send(args: unknown[]): void {
    const sent = this.#adapter.serverSideEmit([EVENT, ...args]) as unknown; // a promise, with some adapters
    Promise.resolve(sent).catch(() => undefined);
  }
}

function isCallback(value: unknown): value is (answer: boolean) => void {
  return typeof value === 'function';
}
