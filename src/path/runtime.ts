/** The services that namespaces, connections and packets of a server share. These do not know the server itself. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerOptions, Socket } from 'socket.io';
import { Deprecations } from '../deprecated/deprecations';
import type { EggApplication, Logger } from '../egg';
import { isDevelopment } from '../errors';
import { TimeLimit } from '../limits/time-limit';
import type { Limits } from '../limits/limits';
import { ownLogger } from '../own-logger';
import type { Outcomes } from '../store/outcomes';
import { AccessLog } from './access-log';
import { Arrivals } from './arrivals';
import type { Controls } from './controls';
import { createContextClass, type SocketContextClass } from './context';
import { Deadlines } from './deadlines';
import type { DirectEvents } from './direct-events';
import { EventWarnings } from './event-warnings';
import { FailureLog } from './failures';
import { FollowedSessions } from './followed-sessions';
import { InFlight } from './in-flight';
import { postponeLate } from './obstacle';
import { type Owner, ownerAsker } from './owner';
import { type PacketSink, PacketTimes } from './packet-times';
import { Passport } from './passport';
import { RecoveryAuth } from './recovery-auth';
import type { UnmatchedPolicy } from './router';
import { SessionStore } from './session';
import { SlowLog } from './slow-log';
import { RefusalLog } from './refusal-log';
import type { Scope, Tracer } from './tracer';
import { bothConnections, bothPackets, type ConnectionWatch, type PacketWatch } from './watch';

/** Assigns the app's own ids to sockets. */
interface Ids {
  assign(socket: Socket): void;
}

type RecoveryOptions = NonNullable<ServerOptions['connectionStateRecovery']>;

/** Dependencies from outside of this folder. */
interface Dependencies {
  readonly ids: Ids;
  /** The options of Socket.IO. */
  readonly init: { readonly connectionStateRecovery?: RecoveryOptions & { readonly owner?: Owner }; readonly connectTimeout?: number };
  readonly limits: Limits;
  readonly unmatched: UnmatchedPolicy;
  readonly tracer: Tracer | undefined;
  /** Makes a returning client a new one. The function gives it the id that the app wants. */
  readonly startAnew: (socket: Socket, assignId: () => void) => void;
}

/** Socket.IO's default, in ms. */
const CONNECT_TIMEOUT = 45_000;

/** The settings of what can start only when the app has been loaded. */
interface LoadOptions {
  /** Undefined without an access log. */
  readonly accessLog: { readonly packets: boolean } | undefined;
  readonly addressOf: ConstructorParameters<typeof AccessLog>[1];
  readonly followSession: boolean;
  readonly metrics: { readonly connections: ConnectionWatch; readonly packets: PacketSink } | undefined;
}

export class Runtime {
  /** Connections that are not complete yet. */
  readonly arrivals: Arrivals;
  /** Filled by the server: these functions know connections. */
  readonly controls: Controls = new Map();
  /** The ends and the checks of logins. */
  readonly deadlines = new Deadlines();
  readonly deprecations: Deprecations;
  /** Undefined in production. */
  readonly eventWarnings: EventWarnings | undefined;
  /** Logs failures of handlers, middleware and listeners. */
  readonly failures: FailureLog;
  /** Undefined unless connections end together with their HTTP sessions. */
  followedSessions: FollowedSessions | undefined;
  readonly ids: Ids;
  /** Undefined unless something hears of all connections. */
  connectionWatch: ConnectionWatch | undefined;
  /** Counts running handlers and connection middleware. */
  readonly inFlight = new InFlight();
  /** What one client may cost. */
  readonly limits: Limits;
  readonly logger: Logger;
  /** The outcomes of events with a key. Undefined if the processes of this app have no common place for them. */
  outcomes: Outcomes | undefined;
  /** The options of recovery for Socket.IO, with `owner` in the form that `Owners` takes. Undefined if recovery is off. */
  readonly recovery: (RecoveryOptions & { readonly owner?: ReturnType<typeof ownerAsker> }) | undefined;
  /** Undefined if recovery is off. */
  readonly recoveryAuth: RecoveryAuth | undefined;
  /** Logs refused messages and namespaces. */
  readonly refusals: RefusalLog;
  /** Whether clients also get the messages of unexpected errors. */
  readonly reveal: boolean;
  /** Runs the code of connections and packets, each as that of its context. */
  readonly scope: Scope;
  /** Logs slow middleware. */
  readonly slowLog: SlowLog;
  /** The storage of `app.currentContext`. */
  readonly storage: AsyncLocalStorage<unknown>;
  /** Makes a client that was about to be recovered a new one. */
  readonly startAnew: (socket: Socket) => void;
  /** Undefined if there are no spans. */
  readonly tracer: Tracer | undefined;
  /** What happens to events that have neither a route nor a listener, in namespaces without a handler of these. */
  readonly unmatched: UnmatchedPolicy;
  /** Undefined if Egg's session plugin is off. */
  sessions: SessionStore | undefined;
  /** Undefined if all events go through Engine.IO and the parser. */
  directEvents: DirectEvents | undefined;
  /** Undefined unless something hears of all packets. */
  packetWatch: PacketWatch | undefined;
  /** Undefined if egg-passport is off. */
  passport: Passport | undefined;
  #Context: SocketContextClass | undefined;
  /** By their time in ms. */
  readonly #timeLimits = new Map<number, TimeLimit<() => void>>();
  #isRetiring = false;

  constructor(app: EggApplication, { ids, init, limits, tracer, unmatched, startAnew }: Dependencies) {
    this.logger = ownLogger(app);
    this.reveal = isDevelopment(app.config.env);
    this.storage = app.ctxStorage;
    this.tracer = tracer;
    this.scope = tracer?.scopeOf(app.ctxStorage) ?? app.ctxStorage;
    this.eventWarnings = this.reveal ? new EventWarnings(this.logger) : undefined;
    this.deprecations = new Deprecations(this.logger);
    this.failures = new FailureLog(this.logger, () => tracer?.activeTraceId());
    this.ids = ids;
    this.limits = limits;
    this.unmatched = unmatched;
    this.startAnew = socket => startAnew(socket, () => ids.assign(socket));
    const { owner, ...recovery } = init.connectionStateRecovery ?? {};
    const asker = owner && ownerAsker(app, owner, () => this.sessions, this.failures);
    this.recovery = init.connectionStateRecovery && { ...recovery, ...(asker && { owner: asker }) };
    this.recoveryAuth = init.connectionStateRecovery ? new RecoveryAuth(this.logger) : undefined;
    this.refusals = new RefusalLog(this.logger);
    this.slowLog = new SlowLog(this.logger);
    this.arrivals = new Arrivals(
      Number(init.connectTimeout) || CONNECT_TIMEOUT, // 0 counts as not set, as for Socket.IO
      (arrival, ms) => this.slowLog.warn(arrival, ms),
      (arrival, ms) => {
        limits.counts.connectTimeout++;
        postponeLate(arrival, ms, tracer);
      },
    );
  }

  /**
   * To be called when the app has been loaded, so that its contexts and sessions are complete.
   * @throws SetupError if HTTP sessions cannot be followed, or the access log has no logger
   */
  load(app: EggApplication, { accessLog, addressOf, followSession, metrics }: LoadOptions): void {
    const log = accessLog && new AccessLog(app, addressOf);
    this.connectionWatch = bothConnections(bothConnections(log, metrics?.connections), this.tracer?.connections);
    const sinks = [accessLog?.packets ? log : undefined, metrics?.packets].filter(sink => sink !== undefined);
    this.packetWatch = bothPackets(sinks.length > 0 ? new PacketTimes(sinks) : undefined, this.tracer?.packets);
    if (followSession) this.followedSessions = FollowedSessions.of(app);
    this.sessions = SessionStore.of(app);
    this.passport = Passport.of(app);
    this.#Context = createContextClass(app, this.reveal, this.tracer);
  }

  /** The class of the contexts of connections and packets. */
  get Context(): SocketContextClass {
    if (!this.#Context) throw new Error('no client can connect before the app is ready');
    return this.#Context;
  }

  /** That of all handlers that have the same time. Undefined if that is not limited. @param ms Infinity for no limit */
  timeLimit(ms: number): TimeLimit<() => void> | undefined {
    if (ms === Number.POSITIVE_INFINITY) return undefined;
    const limit = this.#timeLimits.get(ms) ?? new TimeLimit(ms, expire => expire());
    this.#timeLimits.set(ms, limit);
    return limit;
  }

  /** Whether the server is closing. */
  get isRetiring(): boolean {
    return this.#isRetiring;
  }

  /** To be called when the server begins to close. */
  retire(): void {
    this.#isRetiring = true;
    this.arrivals.close();
  }

  /** Ends what waits, and writes the pending counts of the logs. To be called when all connections have been closed. */
  flush(): void {
    this.outcomes?.close();
    for (const limit of this.#timeLimits.values()) limit.close();
    this.limits.flush();
    this.deadlines.close();
    this.followedSessions?.close();
    for (const log of [this.refusals, this.slowLog, this.failures]) log.flush();
  }
}
