/** How long the login of a connection lasts: until its token or session expires, or a check finds that it has been revoked. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import { type ErrorAnswer, messageOf } from '../errors';
import { toError } from '../thrown';
import type { ContextOwner, SocketContext, SocketContextClass } from './context';
import type { Deadline, Deadlines } from './deadlines';
import { isDenial } from './error-answers';
import { SETTLE } from './module-scope';

/** `config.io.auth`, checked. In users' types the context is Egg's, of which ours is a part. */
export interface LoginRules {
  /** In ms. Infinite without a limit. */
  readonly maxAge: number;
  readonly expiresAt: ((ctx: SocketContext) => unknown) | undefined;
  readonly recheck: { readonly every: number; readonly check: (ctx: SocketContext) => unknown } | undefined;
}

/** The part of `Runtime` that is used here. */
interface Services {
  readonly Context: SocketContextClass;
  readonly storage: AsyncLocalStorage<unknown>;
  readonly deadlines: Deadlines;
  readonly followedSessions: { delete(connection: Client): void } | undefined;
}

/** The part of a connection that is used here. */
export interface Client extends ContextOwner {
  readonly namespace: { readonly loginRules: LoginRules | undefined; readonly runtime: Services };
  readonly isConnecting: boolean;
  login: Login | undefined;
  refuse(answer: ErrorAnswer): void;
  log(level: 'warn' | 'error', what: string, error: Error): void;
}

const EXPIRED: ErrorAnswer = { code: 'AUTH_EXPIRED', message: 'The login has expired' };
export const REVOKED: ErrorAnswer = { code: 'AUTH_REVOKED', message: 'The login has been revoked' };

/** The function that fails, in the log. */
const CHECK = 'config.io.auth.recheck.check failed, and the client stays';

/** A smaller time in ms is of before 1973, so it must be one in seconds. */
const LEAST_TIME = 1e11;

/**
 * Begins the login of a client that middleware has admitted, or refuses the client if its login has expired. Returns whether the client may go on.
 * @throws whatever `expiresAt` throws
 */
export function beginLogin(connection: Client): boolean {
  const rules = connection.namespace.loginRules;
  if (!rules) return true;
  const login = new Login(connection, rules);
  connection.login = login;
  if (login.begin()) return true;
  connection.refuse(EXPIRED);
  return false;
}

/** To be called when the client has gone. */
export function leaveLogin(connection: Client): void {
  connection.login?.end();
  connection.namespace.runtime.followedSessions?.delete(connection);
}

export class Login implements Deadline {
  slot: number | undefined;
  readonly #connection: Client;
  readonly #rules: LoginRules;
  /** In ms since 1970, as all times here. */
  #expiry = Number.POSITIVE_INFINITY;
  #nextCheck = Number.POSITIVE_INFINITY;
  #isChecking = false;
  #hasEnded = false;

  constructor(connection: Client, rules: LoginRules) {
    this.#connection = connection;
    this.#rules = rules;
  }

  /** Returns whether it has not expired already. @throws whatever `expiresAt` throws */
  begin(): boolean {
    const now = Date.now();
    const { maxAge, expiresAt, recheck } = this.#rules;
    const end = expiresAt ? this.#ask(expiresAt) : Number.POSITIVE_INFINITY;
    if (end <= now) return false;
    this.#expiry = Math.min(now + maxAge, end);
    if (recheck) this.#nextCheck = now + recheck.every * (0.5 + Math.random() / 2);
    this.#schedule();
    return true;
  }

  /** To be called when the client has gone. */
  end(): void {
    this.#hasEnded = true;
    this.#connection.namespace.runtime.deadlines.delete(this);
  }

  due(): void {
    const now = Date.now();
    if (now >= this.#expiry) {
      endLogins([this.#connection], EXPIRED);
      return;
    }
    const { recheck } = this.#rules;
    if (recheck && now >= this.#nextCheck) {
      this.#nextCheck = now + recheck.every;
      void this.#check(recheck.check);
    }
    this.#schedule();
  }

  #schedule(): void {
    this.#connection.namespace.runtime.deadlines.set(this, Math.min(this.#expiry, this.#nextCheck));
  }

  #ask(expiresAt: (ctx: SocketContext) => unknown): number {
    const { Context, storage } = this.#connection.namespace.runtime;
    const ctx = new Context(this.#connection);
    try {
      return timeOf(storage.run(ctx, expiresAt, ctx));
    } finally {
      ctx[SETTLE]?.();
    }
  }

  /** Never rejects. */
  async #check(check: (ctx: SocketContext) => unknown): Promise<void> {
    const connection = this.#connection;
    if (this.#isChecking) {
      connection.log('warn', CHECK, new Error('the check before has not ended yet'));
      return;
    }
    this.#isChecking = true;
    const { Context, storage } = connection.namespace.runtime;
    const ctx = new Context(connection);
    let mayStay: boolean;
    try {
      mayStay = Boolean(await storage.run(ctx, check, ctx));
    } catch (thrown) {
      mayStay = !isDenial(toError(thrown)); // any other error says nothing of the login
      if (mayStay && !this.#hasEnded) connection.log('error', CHECK, toError(thrown));
    } finally {
      ctx[SETTLE]?.();
      this.#isChecking = false;
    }
    if (!mayStay && !this.#hasEnded) endLogins([connection], REVOKED);
  }
}

/** Ends connections, and tells their clients why. Those of one page are told before the first of them ends. @param close as for `socket.disconnect(close)` */
export function endLogins(connections: readonly Client[], answer: ErrorAnswer, close = false): void {
  for (const { isConnecting, socket } of connections) if (!isConnecting) socket.emit('error', answer.message, { code: answer.code });
  for (const connection of connections) {
    if (connection.isConnecting) connection.refuse(answer);
    else connection.socket.disconnect(close);
  }
}

/** Infinite for nothing. @throws TypeError if it is no time */
function timeOf(given: unknown): number {
  if (given === undefined || given === null) return Number.POSITIVE_INFINITY;
  const time = given instanceof Date ? given.getTime() : given;
  if (typeof time === 'number' && time >= LEAST_TIME) return time;
  const got = typeof time === 'number' ? String(time) : typeof given;
  throw new TypeError(
    messageOf('IO_AUTH_TIME_INVALID', `config.io.auth.expiresAt must return a Date, or a time in ms since 1970; it returned ${got}`),
  );
}
