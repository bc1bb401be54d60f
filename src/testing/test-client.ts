/** A client in a test: the official client, with calls that wait for an answer or an event, and tell what was heard instead. */
import { inspect } from 'node:util';
import type { Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { unwrap } from '../contract/reply';
import type { ErrorAnswer } from '../errors';
import type { AnswerTo, ArgsTo, EventFrom, EventTo, FromServer } from './events';

/** The server's question whether a client has got all that was sent before. */
const SYNC_EVENT = '$io:test';

interface Heard {
  readonly event: string;
  readonly args: readonly unknown[];
  isTaken: boolean;
}

interface Waiting {
  readonly event: string;
  take(heard: Heard): void;
  fail(error: Error): void;
}

/** What a test knows of its server. */
export interface Surroundings {
  /** In ms. */
  readonly timeout: number;
  /** The server's side of the client. Undefined if the app is in other processes. */
  readonly socketOf: (() => ServerSocket | undefined) | undefined;
}

export class TestClient<Source = never> {
  /** The official client's socket. */
  readonly socket: Socket;
  readonly #surroundings: Surroundings;
  readonly #heard: Heard[] = [];
  readonly #waiting = new Set<Waiting>();
  #refused: ErrorAnswer | undefined;
  #end: string | undefined;

  /** @internal */
  constructor(socket: Socket, surroundings: Surroundings) {
    this.socket = socket;
    this.#surroundings = surroundings;
    socket.on(SYNC_EVENT, (answer: () => void) => answer());
    socket.onAny((event: string, ...args: unknown[]) => {
      if (event !== SYNC_EVENT) this.#hear({ event, args, isTaken: false });
    });
    socket.on('connect', () => (this.#end = undefined));
    socket.on('disconnect', reason => this.#fail(`has been disconnected: ${reason}`));
  }

  /** Whether the client is connected now. */
  get connected(): boolean {
    return this.socket.connected;
  }

  /** Its `socket.id`. Undefined if it is not connected. */
  get id(): string | undefined {
    return this.socket.id;
  }

  /** What the client was told if the server has refused it. `code` is empty if the error had none. Undefined if it was let in. */
  get refused(): ErrorAnswer | undefined {
    return this.#refused;
  }

  /**
   * Emits an event, and waits for its acknowledgement.
   *
   * @returns what the controller has returned
   * @throws ReplyError if the server answers with an error: it has its `code`, `message` and `details`
   * @throws Error if there is no answer in time, or the connection ends: it tells what the client has heard
   */
  async call<Event extends EventTo<Source>>(event: Event, ...args: ArgsTo<Source, Event>): Promise<AnswerTo<Source, Event>> {
    const answer = await this.#within(`answer to '${event}'`, waiting => {
      this.socket.emit(event, ...(args as unknown[]), (value: unknown) => waiting.take({ event: '', args: [value], isTaken: true }));
    });
    return unwrap(answer[0]) as AnswerTo<Source, Event>; // the declared type of what the server sends
  }

  /** Emits an event without asking for an acknowledgement. If it fails, the client hears the event `error`. */
  send<Event extends EventTo<Source>>(event: Event, ...args: ArgsTo<Source, Event>): void {
    this.#assertConnected(`'${event}' cannot be sent`);
    this.socket.emit(event, ...(args as unknown[])); // the compiler does not see that they are a list
  }

  /**
   * The next event of a name: one that has come already and was not taken, or else the first one to come.
   *
   * @returns its arguments
   * @throws Error if none comes in time, or the connection ends: it tells what the client has heard instead
   */
  async next<Event extends EventFrom<Source>>(event: Event): Promise<Parameters<FromServer<Source>[Event]>> {
    const known = this.#heard.find(one => one.event === event && !one.isTaken);
    if (known) known.isTaken = true;
    const args = known?.args ?? (await this.#within(`event '${event}'`, () => {}, event));
    return args as Parameters<FromServer<Source>[Event]>; // the declared type of what the server sends
  }

  /**
   * All events of a name that the server has sent to the client so far, and that `next()` has not taken. It waits for what is on its way,
   * so that an empty list proves that there is none.
   *
   * @returns the arguments of each, in order
   * @throws Error if the client is not connected, or the server runs in other processes
   */
  async all<Event extends EventFrom<Source>>(event: Event): Promise<Parameters<FromServer<Source>[Event]>[]> {
    this.#assertConnected(`the events '${event}' cannot be told`);
    const { socketOf, timeout } = this.#surroundings;
    if (!socketOf) throw new Error('all() needs an app in the process of the test: with `workers`, wait for an event by next()');
    await socketOf()?.timeout(timeout).emitWithAck(SYNC_EVENT); // what was sent before has arrived then
    const found = this.#heard.filter(one => one.event === event && !one.isTaken);
    for (const one of found) one.isTaken = true;
    return found.map(({ args }) => args as Parameters<FromServer<Source>[Event]>); // the declared type of what the server sends
  }

  /** The reason of the client's disconnect: resolves when it is not connected any more. */
  async gone(): Promise<string> {
    if (this.#end !== undefined) return this.#end;
    return new Promise(resolve => this.socket.once('disconnect', resolve));
  }

  /** Disconnects the client. It happens by itself at the end of the test. */
  disconnect(): void {
    this.socket.disconnect();
  }

  /** @internal Resolves when the client has been let in or refused. */
  async settle(): Promise<void> {
    await this.#within('answer to the connection', waiting => {
      const done = (): void => waiting.take({ event: '', args: [], isTaken: true });
      this.socket.once('connect', done);
      this.socket.once('connect_error', (error: Error & { data?: Partial<ErrorAnswer> }) => {
        if (this.socket.active) waiting.fail(new Error(`the client could not connect: ${error.message}`, { cause: error }));
        else {
          const { code = '', details } = error.data ?? {};
          this.#refused = { code, message: error.message, ...(details !== undefined && { details }) };
          done();
        }
      });
      this.socket.connect();
    });
  }

  #hear(heard: Heard): void {
    this.#heard.push(heard);
    for (const waiting of this.#waiting) {
      if (waiting.event !== heard.event) continue;
      heard.isTaken = true;
      waiting.take(heard);
      return;
    }
  }

  #fail(what: string): void {
    this.#end = what.replace(/^has been disconnected: /, '');
    for (const { fail } of this.#waiting) fail(new Error(`the client ${what}; ${this.#told()}`));
  }

  #assertConnected(what: string): void {
    if (this.#refused) throw new Error(`${what}: the client was refused with ${this.#refused.code}: ${this.#refused.message}`);
    if (this.#end !== undefined) throw new Error(`${what}: the client has been disconnected: ${this.#end}; ${this.#told()}`);
  }

  async #within(what: string, begin: (waiting: Waiting) => void, event = ''): Promise<readonly unknown[]> {
    if (what !== 'answer to the connection') this.#assertConnected(`no ${what}`);
    const { timeout } = this.#surroundings;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        event,
        take({ args }) {
          end();
          resolve(args);
        },
        fail(error) {
          end();
          reject(error);
        },
      };
      const timer = setTimeout(() => waiting.fail(new Error(`no ${what} within ${timeout} ms; ${this.#told()}`)), timeout);
      this.#waiting.add(waiting);
      begin(waiting);
    });
  }

  #told(): string {
    const lines = this.#heard.map(({ event, args }) => `${event}(${args.map(arg => inspect(arg, { breakLength: Infinity })).join(', ')})`);
    return lines.length === 0 ? 'the client has heard nothing' : `the client has heard ${lines.join(', ')}`;
  }
}
