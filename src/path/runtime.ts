/** What every namespace, connection and packet of a server is given. They know nothing of the server itself. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'socket.io';
import { Deprecations } from '../deprecated/deprecations';
import type { EggApplication, Logger } from '../egg';
import { revealsErrors } from './error-answers';
import { Arrivals } from './arrivals';
import { createContextClass, type SocketContextClass } from './context';
import { FailureLog } from './failures';
import { InFlight } from './in-flight';
import { Passport } from './passport';
import { RecoveryAuth } from './recovery-auth';
import { SessionStore } from './session';
import { SlowLog } from './slow-log';
import { RefusalLog } from './refusal-log';

/** Gives sockets the app's own ids. */
interface Ids {
  assign(socket: Socket): void;
}

/** What it takes from outside of this folder. */
interface Given {
  readonly ids: Ids;
  /** Whether clients may recover. */
  readonly canRecover: boolean;
}

export class Runtime {
  /** The connections that are not complete yet. */
  readonly arrivals: Arrivals;
  readonly deprecations: Deprecations;
  /** Logs what fails for clients. */
  readonly failures: FailureLog;
  readonly ids: Ids;
  /** The handlers and connection middleware that run. */
  readonly inFlight = new InFlight();
  readonly logger: Logger;
  /** Undefined where recovery is off. */
  readonly recoveryAuth: RecoveryAuth | undefined;
  /** Logs what clients send that is refused. */
  readonly refusals: RefusalLog;
  /** Whether clients are shown errors that are not made to be shown. */
  readonly reveal: boolean;
  /** Logs middleware that takes long. */
  readonly slowLog: SlowLog;
  /** What `app.currentContext` reads. */
  readonly storage: AsyncLocalStorage<unknown>;
  /** Undefined where Egg's session plugin is off. */
  sessions: SessionStore | undefined;
  /** Undefined where egg-passport is off. */
  passport: Passport | undefined;
  #Context: SocketContextClass | undefined;
  #isRetiring = false;

  constructor(app: EggApplication, { ids, canRecover }: Given) {
    this.logger = app.logger;
    this.reveal = revealsErrors(app.config.env);
    this.storage = app.ctxStorage;
    this.deprecations = new Deprecations(app.logger);
    this.failures = new FailureLog(app.logger, app.ctxStorage);
    this.ids = ids;
    this.recoveryAuth = canRecover ? new RecoveryAuth(app.logger) : undefined;
    this.refusals = new RefusalLog(app.logger);
    this.slowLog = new SlowLog(app.logger, app.ctxStorage);
    this.arrivals = new Arrivals((arrival, ms) => this.slowLog.warn(arrival, ms));
  }

  /** To be called when the app has been loaded: its contexts are complete, and so are its sessions. */
  load(app: EggApplication): void {
    this.sessions = SessionStore.of(app);
    this.passport = Passport.of(app);
    this.#Context = createContextClass(app, this.reveal);
  }

  /** The class of the contexts of connections and packets. */
  get Context(): SocketContextClass {
    if (!this.#Context) throw new Error('no client can connect before the app is ready');
    return this.#Context;
  }

  /** Whether the server is closing. */
  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /** The server begins to close. */
  retire(): void {
    this.#isRetiring = true;
    this.arrivals.close();
  }

  /** Writes what the logs have counted. To be called when all connections have been closed. */
  flush(): void {
    this.refusals.flush();
    this.slowLog.flush();
    this.failures.flush();
  }
}
