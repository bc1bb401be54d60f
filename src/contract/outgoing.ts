/** Checks what the server sends to clients by a contract, and changes nothing. A violation is a mistake of the app: it throws. */
import { type Checked, validateAll, whenReady } from './check';
import type { Contract, ServerEventContract, StandardSchema } from './contract';
import { isErrorReply } from './reply';
import { mistakeOf, oneLine } from '../errors';

export class OutgoingCheck {
  readonly #namespace: string;
  readonly #events: ReadonlyMap<unknown, ServerEventContract>;
  readonly #explain: boolean;

  /** @param explain whether messages have the place in a value and the schema's message: both may contain what clients have sent */
  constructor({ namespace, server = {} }: Contract, explain: boolean) {
    this.#namespace = namespace;
    this.#events = new Map(Object.entries(server));
    this.#explain = explain;
  }

  /**
   * For an event that the server emits, such as `['said', 'hello']`.
   * @throws TypeError if it does not fit, or its schema is asynchronous, which an emit cannot wait for
   */
  event([event, ...args]: readonly unknown[]): void {
    if (event === 'error') return; // of this plugin
    const what = this.#describe(event);
    const declared = this.#events.get(event);
    if (!declared) throw violation(`${what} is not in the contract, among the events of the server`);
    if (typeof args.at(-1) === 'function') args.pop(); // asks for an acknowledgement
    this.#now(what, validateAll(what, declared.args ?? [], args), 0);
  }

  /** For an answer that is sent at once. @throws TypeError like `event()` */
  answer(event: string, schema: StandardSchema, answer: readonly unknown[]): void {
    const what = `the acknowledgement of ${this.#describe(event)}`;
    if (!isErrorReply(answer[0])) this.#now(what, validateAll(what, [schema], answer), 1);
  }

  /** For a returned value, with which it returns or resolves. @throws TypeError (or rejects) if it does not fit */
  result(event: string, schema: StandardSchema, value: unknown): unknown {
    const what = `the acknowledgement of ${this.#describe(event)}`;
    if (isErrorReply(value)) return value;
    return whenReady(validateAll(what, [schema], [value]), checked => {
      this.#refuse(what, checked, 1);
      return value;
    });
  }

  #now(what: string, checked: Checked | Promise<Checked>, skipped: number): void {
    if (checked instanceof Promise) {
      checked.catch(() => {}); // its result does not matter any more
      throw violation(`${what} has an asynchronous schema, which cannot be waited for`);
    }
    this.#refuse(what, checked, skipped);
  }

  /** @param skipped the number of keys that say nothing: the index of an acknowledgement, of which there is one */
  #refuse(what: string, { issues: [first] }: Checked, skipped: number): void {
    if (!first) return;
    const keys = first.path.slice(skipped, this.#explain ? undefined : 1).map(key => (typeof key === 'number' ? `[${key}]` : `.${key}`));
    const place = keys.length > 0 ? ` at ${keys.join('')}` : '';
    throw violation(`${what} does not fit${oneLine(this.#explain ? `${place}: ${first.message}` : place)}`);
  }

  #describe(event: unknown): string {
    return `event '${oneLine(String(event))}' of namespace '${this.#namespace}'`;
  }
}

function violation(problem: string): Error {
  return mistakeOf('IO_CONTRACT_VIOLATED', problem);
}
