/** `send()`: an event that is sent again until the server has answered it. Its handler runs once. */
// Ignored where the client is not installed, as in a server that compiles everything.
/** @ts-ignore */
import type { Socket } from 'socket.io-client';
import { sayHello, type Socket as PlainSocket } from './hello';

/** What `send()` rejects with. */
export class SendError extends Error {
  override readonly name = 'SendError';
  // declared, since a definition would be code of the page
  /** That of the server's error, or TIMEOUT or TOO_MANY_WAITING. */
  declare readonly code: string;
  /** What else the server says of the error. */
  declare readonly details: unknown;

  constructor(error: ErrorReply['error']) {
    super(error.message);
    Object.assign(this, error);
  }
}

interface ErrorReply {
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown };
}

export interface SendOptions {
  /** Time in ms to wait for an answer before the event is sent again. Default: 10000. */
  ackTimeout?: number;
  /** Time in ms after which a call rejects with the code TIMEOUT: whether the server has handled the event is not known then. Default: 60000. */
  timeout?: number;
  /** The most events that wait for an answer. One more rejects with the code TOO_MANY_WAITING. Default: 1000. */
  limit?: number;
  /** Called for each event. Returns the `traceparent` of the trace that it belongs to, if there is one. */
  traceparent?: () => string | undefined;
}

/** As the official client declares it: an interface fits no other type with any key. */
// oxlint-disable-next-line typescript/no-explicit-any -- see above
type Events = { [Event in string]: any };

/** The arguments of an event, without the callback for its acknowledgement. */
type Given<Event> = Event extends (...args: infer Args) => void
  ? Args extends [...infer Values, (...answer: never[]) => void]
    ? Values
    : Args
  : never;

/** What the server answers, without errors: these reject. */
type Answer<Event> = Event extends (...args: infer Args) => void
  ? Args extends [...unknown[], (answer: infer Value) => void]
    ? Exclude<Value, ErrorReply>
    : unknown
  : never;

/** @throws SendError (rejects) with the code of the server's error, or TIMEOUT or TOO_MANY_WAITING; what the encoder throws for arguments that cannot be sent */
export type Send<Emitted> = <Event extends keyof Emitted & string>(
  event: Event,
  ...args: Given<Emitted[Event]>
) => Promise<Answer<Emitted[Event]>>;

interface Reply extends Partial<ErrorReply> {
  readonly answer?: unknown;
}

/** Time in ms until events are sent again that the server cannot handle now. It doubles each time. */
const RETRY_DELAY = 1000;
const LONGEST_DELAY = 10_000;

/** What passes: an outage, and the limit for users. The answer to an earlier attempt may have been lost, so that this is not the answer. */
const PASSING = ['TRY_AGAIN', 'TOO_MANY_EVENTS'];

/** Stands for the user on the server while there is none. Kept for the page's life. */
const OWNER = /* @__PURE__ */ random();

/**
 * Returns the function `send()` for a socket of the official client. Call it right after `io()`, before the socket has connected.
 *
 * `send(event, ...args)` waits for the connection, sends the event again after each reconnect and each time-out until the server has answered, and
 * resolves with the answer, null if the handler returned nothing. The handler runs once all the same. Events leave in the order of the calls; one
 * that the server cannot handle at the time is sent again later, and may come after others that left with it.
 * What waits is lost with the page.
 *
 * @example
 * const send = createSend(io());
 * const { delivered } = await send('say', 'hello');
 */
export function createSend<Listened extends Events, Emitted extends Events>(
  socket: Pick<Socket<Listened, Emitted>, 'auth' | 'connected' | 'io' | 'on' | 'timeout'>,
  { ackTimeout = 10_000, timeout = 60_000, limit = 1000, traceparent }: SendOptions = {},
): Send<Emitted> {
  const plain = socket as unknown as PlainSocket; // the events of `send()` are not among those of the app
  /** What sends an event, for each that has not been answered, in the order of the calls. */
  const waiting = new Set<() => void>();
  /** While it runs, nothing is sent. */
  let pause: ReturnType<typeof setTimeout> | undefined;
  let delay = RETRY_DELAY;

  sayHello(plain, { owner: OWNER });
  socket.on('connect', sendAll);

  function sendAll(): void {
    for (const attempt of waiting) attempt();
  }

  function send(event: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (waiting.size >= limit) throw new SendError({ code: 'TOO_MANY_WAITING', message: `${limit} events wait` });
      const key = traceparent ? [random(), traceparent()] : random();
      const end = setTimeout(() => settle(new SendError({ code: 'TIMEOUT', message: `No answer in ${timeout} ms` })), timeout);
      /** The connection over which the server may yet answer. */
      let sentOver: unknown;
      waiting.add(attempt);
      attempt();

      function attempt(): void {
        const { engine } = socket.io;
        if (!socket.connected || pause || sentOver === engine) return; // the next `connect` or the end of the pause does it
        sentOver = engine;
        try {
          plain.timeout(ackTimeout).emit('$io:send', key, event, ...args, receive);
        } catch (error) {
          settle(error as Error); // it cannot be encoded
        }
      }

      function receive(failure: Error | null, { error, answer }: Reply = {}): void {
        sentOver = undefined;
        if (!waiting.has(attempt)) return;
        if (failure)
          attempt(); // the time is over; if the connection has ended, the next `connect` does it
        else if (error && PASSING.includes(error.code)) wait();
        else {
          delay = RETRY_DELAY;
          settle(error && new SendError(error), answer);
        }
      }

      function settle(error: Error | undefined, answer?: unknown): void {
        waiting.delete(attempt);
        clearTimeout(end);
        if (error) reject(error);
        else resolve(answer);
      }
    });
  }

  /** Then sends what has waited meanwhile. */
  function wait(): void {
    pause ??= setTimeout(() => {
      pause = undefined;
      delay = Math.min(2 * delay, LONGEST_DELAY);
      sendAll();
    }, delay);
  }

  return send as Send<Emitted>; // answers are of the types that the app declares
}

/** A text that nobody can guess, where there is a source of such: mini programs have none. */
function random(): string {
  const numbers = typeof crypto === 'undefined' ? [1, 2].map(Math.random) : crypto.getRandomValues(new Uint32Array(5));
  return numbers.join('-');
}
