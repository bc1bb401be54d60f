/** Asks all processes, over the adapter of the namespace `/`: the workers by the hub, and other machines by Redis or a database. */
import type { Namespace } from 'socket.io';
import { emitToServers, reachesOthers, receiveFromServers } from '../internals/server-events';
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
    receiveFromServers(main, ADMIN_EVENT, (given, reply) => {
      const question = readQuestion(given);
      reply?.((question && answer(question)) ?? null);
    });
  }

  /** Never rejects. Answers of processes that have none are left out. */
  async ask(question: Question): Promise<Answers> {
    const [own, others] = [this.#answer(question), await this.#askOthers(question)];
    const answers = [own, ...others.answers].filter(answer => typeof answer === 'object' && answer !== null);
    return { answers, problem: others.problem };
  }

  async #askOthers(question: Question): Promise<{ answers: readonly unknown[]; problem: string | undefined }> {
    if (!this.#hasOthers || !reachesOthers(this.#main.adapter)) return { answers: [], problem: undefined };
    return new Promise(resolve => {
      const end = (answers: readonly unknown[], problem?: string): void => {
        clearTimeout(timer);
        resolve({ answers, problem });
      };
      const timer = setTimeout(end, TIMEOUT, [], 'the adapter has no answer of others').unref();
      const onAnswers = (error: unknown, answers: readonly unknown[] = []): void =>
        end(answers, error ? toError(error).message : undefined);
      emitToServers(this.#main.adapter, [ADMIN_EVENT, question, onAnswers], thrown => end([], toError(thrown).message)); // it may fail in an outage
    });
  }
}
