/** During development, warns of events that nothing handles, and of handlers that give no answer. */
import type { Logger } from '../egg';
import { messageOf, quoted, type RuntimeCode } from '../errors';
import { nearest } from '../nearest';
import type { Acknowledge } from '../events';

/** The most unmatched events to warn of, since clients choose the names. */
const MAX_UNMATCHED = 100;

/** Warns of each event of a namespace once. */
export class EventWarnings {
  readonly #logger: Logger;
  readonly #unmatched = new Set<string>();
  readonly #unanswered = new Set<string>();
  /** Acknowledgements that have been called. */
  readonly #answered = new WeakSet<Acknowledge>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Wraps an acknowledgement, to know later whether it has been called. */
  follow(ack: Acknowledge): Acknowledge {
    const followed: Acknowledge = (...answer) => {
      this.#answered.add(followed);
      ack(...answer);
    };
    return followed;
  }

  /** @param routes the events that the namespace has routes for */
  warnOfUnmatched(event: unknown, namespace: string, routes: readonly string[]): void {
    const name = String(event).slice(0, 100);
    const what = whatOf(name, namespace);
    if (this.#unmatched.has(what) || this.#unmatched.size === MAX_UNMATCHED) return;
    this.#unmatched.add(what);
    const guess = nearest(name, routes);
    const remedy = guess === undefined ? 'add one of them' : `did you mean ${JSON.stringify(guess)}?`;
    const end = this.#unmatched.size === MAX_UNMATCHED ? `; ${MAX_UNMATCHED} events have been warned of, and no more will be` : '';
    this.#warn('IO_EVENT_UNMATCHED', `${what} has neither a route nor a listener; ${remedy}${end}`);
  }

  /** Warns if the client has got no answer when the handling of an event has ended. To be called for events with a route only. */
  checkAnswer(ack: Acknowledge, event: unknown, namespace: string): void {
    const what = whatOf(event, namespace);
    if (this.#answered.has(ack) || this.#unanswered.has(what)) return;
    this.#unanswered.add(what);
    const remedy = 'did the handler forget to return a value, or to call ctx.ack()? Ignore this if it answers later';
    this.#warn('IO_ANSWER_MISSING', `${what} has ended without the answer that the client asked for; ${remedy}`);
  }

  #warn(code: RuntimeCode, problem: string): void {
    this.#logger.warn(messageOf(code, problem));
  }
}

function whatOf(event: unknown, namespace: string): string {
  return `event ${quoted(event)} of namespace '${namespace}'`;
}
