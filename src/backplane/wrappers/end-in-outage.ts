/**
 * Broadcasts with acknowledgements. Socket.IO waits for all of them until the time-out; here the wait ends as soon as other processes become
 * unreachable, with the error of the outage and the acknowledgements so far.
 */
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import type { Backplane } from '../backplane';
import { operatorInternals } from '../../internals/socket-io';
import { type Operator, withTimeout } from '../operators';

type Callback = (error: Error | null, responses: unknown) => void;

interface Questions {
  expect(flags: object): Question;
}

/** The operators that have been changed. */
const changed = new WeakSet<Operator>();
/** What watches the broadcasts of an adapter. */
const questionsOf = new WeakMap<Adapter, Questions>();

/** Changes the adapter of a namespace, and the operators, which all namespaces of the server share. */
export function endInOutage(operators: Operator, adapter: Adapter, backplane: Backplane): void {
  questionsOf.set(adapter, watchQuestions(adapter));
  if (changed.has(operators)) return;
  changed.add(operators);
  const { emit } = operators;
  Object.assign(operators, {
    emit(this: Operator, event: string, ...args: unknown[]): boolean {
      const callback = args.at(-1);
      const questions = typeof callback === 'function' ? questionsOf.get(operatorInternals(this).adapter) : undefined;
      if (!questions || this.flags.local) return emit.call(this, event, ...args);
      const operator = withTimeout(this); // the adapter gets the same flags
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

/** Calls back once: with Socket.IO's answer, or with the error of an outage, whichever comes first. */
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
    const half = backplane.localTimeout / 2; // in two parts: if this process was busy in one, its clients have the other
    timer = setTimeout(() => (timer = setTimeout(() => setImmediate(giveUp), half)), half); // after answers that have already arrived
  });
  return { answer, cancel };
}

/** A broadcast that asks clients for acknowledgements. */
class Question {
  readonly answers: unknown[] = [];
  /** The number of servers that have counted their clients. */
  counted = 0;
  /** The number of servers that have to. */
  servers = Number.POSITIVE_INFINITY;
  /** The number of clients of other servers. */
  elsewhere = 0;

  /** Whether clients of other servers have to acknowledge, or may have to. */
  get isDueElsewhere(): boolean {
    return this.elsewhere > 0 || this.counted < this.servers;
  }
}

/**
 * Follows the state of each broadcast, which Socket.IO does not expose. A `local` broadcast waits for one server only:
 * Socket.IO would wait for all of them.
 */
function watchQuestions(adapter: Adapter): Questions {
  const byFlags = new WeakMap<object, Question>(); // each operator has flags of its own, and passes them to the adapter
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter);
  const serverCount = adapter.serverCount.bind(adapter);
  /** Set from a broadcast to the following call of `serverCount`, which Socket.IO makes at once. */
  let latest: { readonly question: Question | undefined; readonly isLocal: boolean } | undefined;
  Object.assign(adapter, {
    broadcastWithAck(packet: unknown, opts: BroadcastOptions, countClients: (count: number) => void, ack: (answer: unknown) => void): void {
      const { flags = {} } = opts;
      const question = byFlags.get(flags);
      const count = (clients: number): void => {
        if (question) {
          if (question.counted > 0) question.elsewhere += clients; // the first count is of local clients, at once or in the next tick
          question.counted++;
        }
        countClients(clients);
      };
      broadcastWithAck(packet, opts, count, answer => {
        question?.answers.push(answer);
        ack(answer);
      });
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
