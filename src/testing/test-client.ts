/** A client in a test: the official client, with calls that wait for an answer or an event, and tell what was heard instead. */
import type { Socket as ServerSocket } from 'socket.io';
import type { Socket } from 'socket.io-client';
import { unwrap } from '../contract/reply';
import type { ErrorAnswer } from '../errors';
import type { AnswerTo, ArgsTo, EventFrom, EventTo, FromServer } from './events';
import { Inbox, type Waiting } from './inbox';

/** The server's question whether a client has got all that was sent before. */
const SYNC_EVENT = '$io:test';

/** Reserved by Socket.IO: the server cannot emit it. */
const DISCONNECT = 'disconnect';

/** Of no event: for what `begin` hands over. */
const NONE = 'connect'; // reserved, too

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
  readonly #inbox: Inbox;
  #refused: ErrorAnswer | undefined;
  #end: string | undefined;

  /** @internal */
  constructor(socket: Socket, surroundings: Surroundings) {
    this.socket = socket;
    this.#surroundings = surroundings;
    this.#inbox = new Inbox(surroundings.timeout);
    socket.on(SYNC_EVENT, (answer: () => void) => answer());
    socket.onAny((event: string, ...args: unknown[]) => {
      if (event !== SYNC_EVENT) this.#inbox.hear(event, args);
    });
    socket.on('connect', () => (this.#end = this.#refused = undefined));
    socket.on('connect_error', (error: Error & { data?: Partial<ErrorAnswer> }) => {
      if (socket.active) return; // it has not reached the server, and tries again
      const { code = '', details } = error.data ?? {};
      this.#refused = { code, message: error.message, ...(details !== undefined && { details }) };
    });
    socket.on('disconnect', reason => {
      this.#end = reason;
      this.#inbox.end(DISCONNECT, reason);
    });
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
    const answer = await this.#within(`answer to '${event}'`, NONE, waiting => {
      this.socket.emit(event, ...(args as unknown[]), (value: unknown) => waiting.take([value]));
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
    const [known] = this.#inbox.take(event, 1);
    const args = known ?? (await this.#within(`event '${event}'`, event));
    return args as Parameters<FromServer<Source>[Event]>; // the declared type of what the server sends
  }

  /**
   * All events of a name that the server has sent to the client so far, and that `next()` has not taken. It waits for what is on its way,
   * so that an empty list proves that there is none. After the end of the connection it tells what came before.
   *
   * @returns the arguments of each, in order
   * @throws Error if the client was refused, or the server runs in other processes
   */
  async all<Event extends EventFrom<Source>>(event: Event): Promise<Parameters<FromServer<Source>[Event]>[]> {
    const { socketOf } = this.#surroundings;
    if (!socketOf) throw new Error('all() needs an app in the process of the test: with `workers`, wait for an event by next()');
    if (this.#end === undefined) {
      // what was sent before has arrived with either of these
      await this.#within(`answer to all('${event}')`, DISCONNECT, waiting => socketOf()?.emit(SYNC_EVENT, () => waiting.take([])));
    }
    return this.#inbox.take(event) as Parameters<FromServer<Source>[Event]>[]; // the declared type of what the server sends
  }

  /**
   * Waits until the client is not connected any more.
   *
   * @returns the reason of the disconnect
   * @throws Error if the client is still connected in the end, or was refused
   */
  async gone(): Promise<string> {
    if (this.#end !== undefined) return this.#end;
    const [reason] = await this.#within('end of the connection', DISCONNECT);
    return String(reason);
  }

  /** Disconnects the client. It happens by itself at the end of the test. */
  disconnect(): void {
    this.socket.disconnect();
  }

  /** @internal Disconnects at the end of the test. Whoever waits still is told nothing: the rejection of a forgotten promise would fail another test. */
  end(): void {
    this.#inbox.drop();
    this.disconnect();
  }

  /** @internal Resolves when the client has been let in or refused. */
  async settle(): Promise<void> {
    await this.#inbox.wait('answer to the connection', NONE, waiting => {
      const done = (): void => waiting.take([]);
      this.socket.once('connect', done);
      this.socket.once('connect_error', error => {
        if (this.#refused) done();
        else waiting.fail(new Error(`the client could not connect: ${error.message}`, { cause: error }));
      });
      this.socket.connect(); // unless it does so by itself
    });
  }

  #assertConnected(what: string): void {
    if (this.#refused) throw new Error(`${what}: the client was refused with ${this.#refused.code}: ${this.#refused.message}`);
    if (this.#end !== undefined) throw new Error(`${what}: the client has been disconnected: ${this.#end}; ${this.#inbox.told()}`);
  }

  async #within(what: string, event: string, begin?: (waiting: Waiting) => void): Promise<readonly unknown[]> {
    this.#assertConnected(`no ${what}`);
    return this.#inbox.wait(what, event, begin);
  }
}
