/** How long the login of a connection lasts: until its token or session expires, or a check finds that it has been revoked. */
import type { ErrorAnswer } from '../errors';
import type { Bucket } from '../limits/bucket';
import { toError } from '../thrown';
import type { ContextOwner, SocketContext } from './context';
import type { Deadline, Deadlines } from './deadlines';
import { isDenial } from './error-answers';
import { askApp, askAtOnce, type ContextServices } from './login-context';
import { endLogins, EXPIRED, REVOKED } from './login-end';
import { timeOf } from './login-time';

/** `config.io.auth`, checked. In users' types the context is Egg's, of which ours is a part. */
export interface LoginRules {
  /** In ms. Infinite without a limit. */
  readonly maxAge: number;
  readonly expiresAt: ((ctx: SocketContext) => unknown) | undefined;
  readonly recheck: { readonly every: number; readonly check: (ctx: SocketContext) => unknown } | undefined;
  readonly renew: ((ctx: SocketContext, auth: object) => unknown) | undefined;
}

/** The part of `Runtime` that is used here. */
interface Services extends ContextServices {
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

/** Time in ms for which a login goes on after its end if it is being renewed. */
const GRACE = 10_000;

/** The function that fails, in the log. */
const CHECK = 'config.io.auth.recheck.check failed, and the client stays';

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
  /** Limits how often the client renews it. Set with the first renewal. */
  renewalLimit: Bucket | undefined;
  readonly #connection: Client;
  readonly #rules: LoginRules;
  /** In ms since 1970, as all times here. */
  #expiry = Number.POSITIVE_INFINITY;
  #nextCheck = Number.POSITIVE_INFINITY;
  #isChecking = false;
  #isHeld = false;
  /** How often it has been renewed. */
  #renewals = 0;
  #hasEnded = false;

  constructor(connection: Client, rules: LoginRules) {
    this.#connection = connection;
    this.#rules = rules;
  }

  /** Returns whether it has not expired already. @throws whatever `expiresAt` throws */
  begin(): boolean {
    const now = Date.now();
    const { maxAge, expiresAt, recheck } = this.#rules;
    const end = expiresAt ? timeOf(askAtOnce(this.#connection, expiresAt)) : Number.POSITIVE_INFINITY;
    if (end <= now) return false;
    this.#expiry = Math.min(now + maxAge, end);
    // a renewal does not put a check off
    if (recheck) this.#nextCheck = Math.min(this.#nextCheck, now + recheck.every * (0.5 + Math.random() / 2));
    this.#schedule();
    return true;
  }

  /** The time in ms until it ends. Infinite if it does not end. */
  get rest(): number {
    return this.#expiry - Date.now();
  }

  /** Whether the client has gone. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether it is being renewed. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Holds it while it is being renewed: if its time is over meanwhile, it goes on until then, for 10 s at most. */
  async hold<Result>(renewing: () => Promise<Result>): Promise<Result> {
    this.#isHeld = true;
    try {
      return await renewing();
    } finally {
      this.#isHeld = false;
      if (!this.#hasEnded && this.rest <= 0) endLogins([this.#connection], EXPIRED);
    }
  }

  /** Begins anew by a new `auth`. Returns whether that has not expired already. @throws whatever `expiresAt` throws */
  renew(): boolean {
    const isValid = this.begin();
    if (isValid) this.#renewals++;
    return isValid;
  }

  /** To be called when the client has gone. */
  end(): void {
    this.#hasEnded = true;
    this.#connection.namespace.runtime.deadlines.delete(this);
  }

  due(): void {
    const now = Date.now();
    if (now >= this.#expiry && (!this.#isHeld || now >= this.#expiry + GRACE)) {
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
    const end = this.#isHeld ? this.#expiry + GRACE : this.#expiry;
    this.#connection.namespace.runtime.deadlines.set(this, Math.min(end, this.#nextCheck));
  }

  /** Never rejects. */
  async #check(check: (ctx: SocketContext) => unknown): Promise<void> {
    const connection = this.#connection;
    if (this.#isChecking) {
      connection.log('warn', CHECK, new Error('the check before has not ended yet'));
      return;
    }
    this.#isChecking = true;
    const renewals = this.#renewals;
    let mayStay = await this.#mayStay(check);
    // it was the former auth, perhaps; once only, or a client that renews all the time would stay
    if (!mayStay && !this.#hasEnded && renewals !== this.#renewals) mayStay = await this.#mayStay(check);
    this.#isChecking = false;
    if (!mayStay && !this.#hasEnded) endLogins([connection], REVOKED);
  }

  /** Never rejects. */
  async #mayStay(check: (ctx: SocketContext) => unknown): Promise<boolean> {
    const connection = this.#connection;
    try {
      return Boolean(await askApp(connection, check));
    } catch (thrown) {
      if (isDenial(thrown)) return false;
      if (!this.#hasEnded) connection.log('error', CHECK, toError(thrown));
      return true; // any other error says nothing of the login
    }
  }
}
