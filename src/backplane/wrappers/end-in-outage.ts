/**
 * Broadcasts that ask for acknowledgements. Socket.IO waits for them until their time is over; here that ends as soon as
 * others cannot be reached any more, with an error that says so and the answers that are there.
 */
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { Backplane } from '../backplane';
import { type Operator, withTimeout } from '../operators';

type Callback = (error: Error | null, responses: unknown) => void;

/** Changes the operators of a namespace, and its adapter. */
export function endInOutage(operators: Operator, adapter: Adapter, backplane: Backplane): void {
  const questions = watchQuestions(adapter);
  const { emit } = operators;
  Object.assign(operators, {
    emit(this: Operator, event: string, ...args: unknown[]): boolean {
      const callback = args.at(-1);
      if (typeof callback !== 'function' || this.flags.local) return emit.call(this, event, ...args);
      const operator = withTimeout(this); // its flags are those that the adapter gets
      const { flags } = operator;
      const { answer, cancel } = answerOnce(callback as Callback, flags, questions.expect(flags), backplane); // Socket.IO calls it so
      try {
        return emit.call(operator, event, ...args.slice(0, -1), answer);
      } catch (error) {
        cancel(); // nothing has been sent
        throw error;
      }
    },
  });
}

/** Calls back once: with what Socket.IO answers, or with the error of an outage, whichever comes first. */
function answerOnce(
  callback: Callback,
  flags: Operator['flags'],
  question: Question,
  backplane: Backplane,
): { answer: Callback; cancel(): void } {
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  const cancel = (): void => {
    isOver = true;
    forget();
    clearTimeout(timer);
  };
  const answer: Callback = (error, responses) => {
    if (isOver) return;
    cancel();
    callback(error, responses);
  };
  const giveUp = (): void => answer(backplane.error(), flags.expectSingleResponse ? null : question.answers);
  const forget = backplane.onUnreachable(() => {
    if (isOver || !question.isDueElsewhere) return;
    timer = setTimeout(() => setImmediate(giveUp), backplane.localTimeout); // after what has come meanwhile, if this process was busy
  });
  return { answer, cancel };
}

/** A broadcast that clients are to acknowledge. */
class Question {
  readonly answers: unknown[] = [];
  /** How many servers have said how many of their clients they ask; and how many have to. */
  counted = 0;
  servers = Number.POSITIVE_INFINITY;
  /** Clients of other servers. */
  elsewhere = 0;

  /** Whether other servers have, or may have, anything to say. */
  get isDueElsewhere(): boolean {
    return this.elsewhere > 0 || this.counted < this.servers;
  }
}

/**
 * Sees what becomes of each broadcast, which Socket.IO keeps to itself. And where one is `local`, one server is to answer:
 * Socket.IO would wait for all that there are.
 */
function watchQuestions(adapter: Adapter): { expect(flags: object): Question } {
  const byFlags = new WeakMap<object, Question>(); // each operator has flags of its own, and hands them over
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter);
  const serverCount = adapter.serverCount.bind(adapter);
  /** From a broadcast to the question how many servers there are, which Socket.IO asks at once. */
  let latest: { readonly question: Question | undefined; readonly isLocal: boolean } | undefined;
  Object.assign(adapter, {
    broadcastWithAck(packet: unknown, opts: BroadcastOptions, countClients: (count: number) => void, ack: (answer: unknown) => void): void {
      const { flags = {} } = opts;
      const question = byFlags.get(flags);
      let isElsewhere = false;
      const count = (clients: number): void => {
        if (question) {
          question.counted++;
          if (isElsewhere) question.elsewhere += clients;
        }
        countClients(clients);
      };
      broadcastWithAck(packet, opts, count, answer => {
        question?.answers.push(answer);
        ack(answer);
      });
      isElsewhere = true; // those here have been counted
      latest = { question, isLocal: flags.local === true };
    },
    async serverCount(): Promise<number> {
      const { question, isLocal = false } = latest ?? {};
      latest = undefined;
      const count = isLocal ? 1 : await serverCount();
      if (question) question.servers = count;
      return count;
    },
  });
  return {
    expect(flags) {
      const question = new Question();
      byFlags.set(flags, question);
      return question;
    },
  };
}
