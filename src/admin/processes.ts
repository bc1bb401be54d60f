/** Asks all processes, over the adapter of the namespace `/`: the workers by the hub, and other machines by Redis or a database. */
import type { Namespace } from 'socket.io';
import { ADMIN_EVENT } from '../protocol';
import { toError } from '../thrown';
import { type Question, readQuestion } from './question';

/** The answers, and why some may be missing. */
export interface Answers {
  readonly answers: readonly object[];
  readonly problem: string | undefined;
}

/** Time in ms for the others, unless the adapter has less: an adapter of the app may not be able to ask. */
const TIMEOUT = 6000;

type Answer = (question: Question) => object | undefined;

export class Processes {
  readonly #main: Namespace;
  readonly #answer: Answer;
  readonly #hasOthers: boolean;

  /** @param main the namespace `/` @param hasOthers whether there may be other processes @param answer that of this process */
  constructor(main: Namespace, hasOthers: boolean, answer: Answer) {
    this.#main = main;
    this.#answer = answer;
    this.#hasOthers = hasOthers;
    const deliver = main._onServerSideEmit.bind(main);
    Object.assign(main, {
      _onServerSideEmit: (args: [event: string, ...args: unknown[]]) => {
        if (args[0] === ADMIN_EVENT) this.#receive(args[1], args[2]);
        else deliver(args);
      },
    });
  }

  /** Never rejects. Answers of processes that have none are left out. */
  async ask(question: Question): Promise<Answers> {
    const [own, others] = [this.#answer(question), await this.#askOthers(question)];
    const answers = [own, ...others.answers].filter(answer => typeof answer === 'object' && answer !== null);
    return { answers, problem: others.problem };
  }

  async #askOthers(question: Question): Promise<{ answers: readonly unknown[]; problem: string | undefined }> {
    if (!this.#hasOthers) return { answers: [], problem: undefined };
    return new Promise(resolve => {
      const end = (answers: readonly unknown[], problem?: string): void => {
        clearTimeout(timer);
        resolve({ answers, problem });
      };
      const timer = setTimeout(end, TIMEOUT, [], 'the adapter has no answer of others');
      try {
        this.#main.serverSideEmit(ADMIN_EVENT, question, (error: unknown, answers: readonly unknown[] = []) =>
          end(answers, error ? toError(error).message : undefined),
        );
      } catch (thrown) {
        end([], toError(thrown).message); // an outage
      }
    });
  }

  #receive(given: unknown, reply: unknown): void {
    if (typeof reply !== 'function') return;
    const question = readQuestion(given);
    Reflect.apply(reply, undefined, [question ? (this.#answer(question) ?? null) : null]);
  }
}
