/** Checks what the server sends to clients by a contract, and changes nothing. A violation is a mistake of the app: it throws. */
import { after, check, type Checked } from './check';
import type { Contract, ServerEventContract, StandardSchema } from './contract';
import { isErrorReply } from './reply';
import { messageOf, type RuntimeCode } from '../errors';

const VIOLATED: RuntimeCode = 'IO_CONTRACT_VIOLATED';

export class OutgoingCheck {
  readonly #namespace: string;
  readonly #events: ReadonlyMap<unknown, ServerEventContract>;
  readonly #explain: boolean;

  /** @param explain whether messages have those of the schemas, which may contain the values */
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
    this.#now(what, check(what, declared.args ?? [], args), 0);
  }

  /** For an answer that is sent at once. @throws TypeError like `event()` */
  answer(event: string, schema: StandardSchema, answer: readonly unknown[]): void {
    const what = `the acknowledgement of ${this.#describe(event)}`;
    if (!isErrorReply(answer[0])) this.#now(what, check(what, [schema], answer), 1);
  }

  /** For a returned value, with which it returns or resolves. @throws TypeError (or rejects) if it does not fit */
  result(event: string, schema: StandardSchema, value: unknown): unknown {
    const what = `the acknowledgement of ${this.#describe(event)}`;
    if (isErrorReply(value)) return value;
    return after(check(what, [schema], [value]), checked => {
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
    const place = first.path.slice(skipped).map(key => (typeof key === 'number' ? `[${key}]` : `.${key}`));
    const at = place.length > 0 ? ` at ${place.join('')}` : '';
    throw violation(`${what} does not fit${at}${this.#explain ? `: ${first.message}` : ''}`);
  }

  #describe(event: unknown): string {
    return `event '${String(event)}' of namespace '${this.#namespace}'`;
  }
}

function violation(problem: string): Error {
  return Object.assign(new TypeError(messageOf(VIOLATED, problem)), { code: VIOLATED });
}
