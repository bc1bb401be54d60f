/** Events with a key: their handlers run once for it, and each retry gets the first answer. */
import { createHash } from 'node:crypto';
import { type ErrorAnswer, IoError } from '../errors';
import { isError, throwIfError, toError } from '../thrown';
import { isChainable } from './chainable';
import { helloOf } from './client-hello';
import type { Connection } from './connection';
import type { SocketContext, SocketHandler } from './context';
import { answerTo } from './error-answers';
import { KeptError } from './kept-error';
import { errorToAnswerOnce } from './onerror';
import { endForExcess, refuseOverNameRate } from './packet-limits';
import { decodeOutcome, encodeOutcome, type Outcome } from './outcome';
import type { Control } from './controls';
import { sentKeyOf, unpackSent } from './sent';
import { releaseSignal } from './signal';
import { connectionOf, receiveEvent } from './socket';
import { OWNER_LENGTH } from '../store/outcome-store';

/** The control event `$io:send`. The limits of an event hold for what it brings, too; for the address, both are one. */
export const receiveSend: Control = (socket, args, ack) => {
  const packet = unpackSent(args, ack);
  const connection = connectionOf(socket);
  if (endForExcess(connection, undefined, packet[0]) || refuseOverNameRate(connection, packet)) return;
  receiveEvent(socket, packet);
};

/** The app's function that finds the key in an event. */
export type KeyOf = (ctx: SocketContext) => unknown;

/** The longest key, in characters. */
const MAX_KEY = 200;

/**
 * Wraps a handler: it runs once for each key. Its answer is its value, or null for undefined, unless it calls `ctx.ack()`.
 * @param keyOf the app's function. Undefined if only packets of `send()` have a key.
 */
export function handlingOnce(handler: SocketHandler, keyOf: KeyOf | undefined): SocketHandler {
  return ctx => {
    const sent = sentKeyOf(ctx);
    if (!keyOf && sent === undefined) return handler.call(ctx, ctx);
    return handleOnce(handler, ctx, checkKey(keyOf ? keyOf(ctx) : sent));
  };
}

/** @throws IoError if it cannot be a key */
function checkKey(key: unknown): string {
  const text = typeof key === 'number' && Number.isFinite(key) ? String(key) : key;
  if (typeof text === 'string' && text !== '' && text.length <= MAX_KEY) return text;
  throw new IoError('INVALID_KEY', `The idempotency key must be a number, or a string of 1 to ${MAX_KEY} characters`);
}

async function handleOnce(handler: SocketHandler, ctx: SocketContext, key: string): Promise<unknown> {
  const connection = connectionOf(ctx.socket);
  const { outcomes } = connection.namespace.runtime;
  if (!outcomes) throw new IoError('STORE_MISSING', 'This server cannot keep answers', { status: 501 });
  const place = placeOf(connection, ctx, key);
  let first: Attempt | undefined;
  const outcome = await outcomes
    .once(place, async () => {
      first = new Attempt(ctx);
      releaseSignal(ctx, connection); // the client comes back for the answer
      return encodeOutcome(await first.run(handler, connection));
    })
    .catch((cause: unknown) => {
      throw new IoError('TRY_AGAIN', 'The server cannot find out now whether this has been handled', { status: 503, cause });
    });
  if (first) return first.end();
  return repeat(decodeOutcome(outcome), ctx);
}

/** A key counts within a namespace, an event and an owner: a bare one would give away somebody else's answer. */
function placeOf({ socket, userRoom }: Connection, { packet = [] }: SocketContext, key: string): string {
  const secret = helloOf(socket)?.owner;
  const owner = userRoom ?? (secret === undefined ? undefined : `secret ${secret}`);
  if (owner === undefined) throw new IoError('UNKNOWN_OWNER', 'An event with an idempotency key needs a user', { status: 401 });
  return hashOf([owner]).slice(0, OWNER_LENGTH) + hashOf([socket.nsp.name, String(packet[0]), owner, key]);
}

function hashOf(values: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('base64url');
}

/** Gives a retry the first answer. */
function repeat(outcome: Outcome, { ack }: SocketContext): unknown {
  if ('error' in outcome) throw new KeptError(outcome.error);
  if (outcome.answer.length === 1) return outcome.answer[0];
  ack?.(...outcome.answer);
  return undefined;
}

/** The one run of a handler, with what it returns, throws and acknowledges. */
class Attempt {
  readonly #ctx: SocketContext;
  #acknowledged: readonly unknown[] | undefined;
  #value: unknown;
  #error: Error | undefined;

  constructor(ctx: SocketContext) {
    this.#ctx = ctx;
  }

  /** Never rejects. */
  async run(handler: SocketHandler, connection: Connection): Promise<Outcome> {
    const ctx = this.#ctx;
    this.#followAck();
    try {
      const value = throwIfError(await handler.call(ctx, ctx));
      this.#value = value === undefined || isChainable(value) ? null : value;
    } catch (thrown) {
      this.#error = toError(thrown);
    }
    const [answered] = this.#acknowledged ?? [];
    if (isError(answered)) return { error: this.#answerTo(connection, answered) };
    if (this.#acknowledged) return { answer: this.#acknowledged };
    return this.#error ? { error: this.#answerTo(connection, this.#error) } : { answer: [this.#value] };
  }

  /** The end of the handler, for its middleware and its client. */
  end(): unknown {
    if (this.#error) throw this.#error;
    return this.#acknowledged ? undefined : this.#value;
  }

  #answerTo(connection: Connection, error: Error): ErrorAnswer {
    return answerTo(errorToAnswerOnce(connection, error, this.#ctx), connection.namespace.runtime.reveal);
  }

  /** Replaces the acknowledgement function wherever the handler finds it. */
  #followAck(): void {
    const ctx = this.#ctx;
    const { ack, args, packet } = ctx;
    if (!ack) return;
    const followed = (...answer: unknown[]): void => {
      this.#acknowledged ??= answer;
      ack(...answer);
    };
    const replaced = (values: unknown[]): unknown[] => values.map(value => (typeof value === 'function' ? followed : value));
    ctx.args = replaced(args);
    if (packet) ctx.packet = replaced(packet);
    Object.defineProperty(ctx, 'ack', { value: followed, configurable: true });
  }
}
