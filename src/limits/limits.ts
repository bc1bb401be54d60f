/** What one client may cost: counts and logs each limit that is reached, and ends connections for it. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import type { LimitSettings } from '../config/limits';
import type { Logger } from '../egg';
import { messageOf } from '../errors';
import { terminate } from '../internals/engine-connection';
import { intakeOf } from './intakes';
import { LogLimit } from '../log-limit';
import { MAX_NESTING, type PacketGuard } from '../protocol';
import { Attachments } from './attachments';
import { AddressLimits } from './address-limits';
import { socketOrConnection, whoIs } from './clients';
import { sayWhy } from './farewell';
import { Backlog } from './backlog';
import { loadRateLimiter } from './rates';
import { Bucket } from './bucket';

/** What is counted, by the name of the option in `config.io.limits` if there is one, with what the log says of it. */
const KINDS = {
  events: 'a client sends too many events',
  pending: 'too many handlers of a client have not ended',
  rooms: 'a connection joins too many rooms, or one with a long name',
  recovery: 'too much is kept for clients that may come back',
  eventName: 'a client sends an event with a long name',
  ackId: 'a client sends an acknowledgement with an id of more than 15 digits, or asks for one',
  namespaces: 'a client asks for too many namespaces, or for one with a long name',
  backlog: 'a client does not read what waits for it',
  connections: 'this worker has as many connections as it may have',
  handshakes: 'too many clients come at once',
  renewals: 'a client renews its login too often',
  attachments: 'a client does not complete a packet with attachments',
  auth: 'the auth of a client is too large',
  depth: `a packet of a client is nested deeper than ${MAX_NESTING} levels`,
  perAddress: 'too much comes from one address',
  perEvent: 'a client sends too many events of one name',
  ordered: 'too many events of a client wait in an ordered namespace',
  patterns: 'there are as many namespaces of patterns as there may be',
  history: 'too much is kept of rooms with history',
  answers: 'too many answers to events with a key are kept',
};

export type LimitKind = keyof typeof KINDS;

/** What is only counted: the log has the failure of the event or of the connection. */
const TIMEOUTS = ['connectTimeout', 'handlerTimeout'] as const;

type TimeoutKind = (typeof TIMEOUTS)[number];

/** A namespace, which may have limits of its own. */
interface LimitedNamespace {
  /** As in the config. */
  readonly name: string;
  readonly limits: LimitSettings;
}

export class Limits implements PacketGuard<EngineSocket> {
  readonly settings: LimitSettings;
  /** How often each limit has been reached. */
  readonly counts = Object.fromEntries([...Object.keys(KINDS), ...TIMEOUTS].map(kind => [kind, 0])) as Record<
    LimitKind | TimeoutKind,
    number
  >; // one of each
  /** Undefined if it is off. */
  readonly backlog: Backlog | undefined;
  readonly attachments: Attachments;
  /** Time in ms after which a client is disconnected whose events wait, and none of whose handlers has ended. Tests shorten it. */
  standstill = 60_000;
  newest: EngineSocket | undefined;
  /** Undefined if addresses are not limited. */
  readonly addresses: AddressLimits | undefined;
  /** Counts the handshakes, and renewals of logins. Undefined if it is off. */
  readonly handshakes: Bucket | undefined;
  readonly #logger: Logger;
  readonly #log = new LogLimit({ interval: 1000 });

  /** @throws SetupError if a package is missing in the app's folder, `baseDir` */
  constructor(settings: LimitSettings, logger: Logger, baseDir: string) {
    this.settings = settings;
    this.addresses = settings.perAddress && new AddressLimits(settings.perAddress, loadRateLimiter(baseDir));
    this.backlog =
      settings.backlog === Number.POSITIVE_INFINITY
        ? undefined
        : new Backlog(settings.backlog, connection => this.endFor(connection, 'backlog'));
    this.attachments = new Attachments(settings.attachments, connection => this.endFor(connection, 'attachments'));
    const { handshakes } = settings;
    this.handshakes = Number.isFinite(handshakes) ? new Bucket(handshakes, handshakes, performance.now()) : undefined;
    this.#logger = logger;
  }

  get maxAuth(): number {
    return this.settings.auth;
  }

  /** To be called for an engine before it has connections. */
  attach(engine: EngineServer): void {
    this.backlog?.attach(engine);
    this.attachments.attach(engine);
    // before Socket.IO's own listener, which makes the decoder
    engine.on('connection', (connection: EngineSocket) => (this.newest = connection));
  }

  onNested(connection: EngineSocket | undefined): void {
    if (connection) this.endFor(connection, 'depth');
  }

  onPart(connection: EngineSocket, bytes: number, rest: number): void {
    this.attachments.onPart(connection, bytes, rest);
  }

  onComplete(connection: EngineSocket): void {
    this.attachments.onComplete(connection);
  }

  /**
   * Counts a limit that has been reached, and logs at most one line of each kind a second, which names one client. Nothing else is made for it: many
   * events may be refused.
   * @param outcome what happens now, such as 'its connection is closed'; without anything from the client
   * @param client its socket, or its connection: the line names one of its sockets. Undefined if there is none yet
   * @param namespace the one whose limit it is. Undefined for a limit that no namespace can have
   */
  report(kind: LimitKind, outcome: string, client?: Socket | EngineSocket, namespace?: LimitedNamespace): void {
    this.counts[kind]++;
    const known = client && !('nsp' in client) ? socketOrConnection(client) : client; // now: it may have gone when the line is written
    const log = (more = ''): void => {
      const latest = known ? `; the latest: ${whoIs(known)}` : '';
      this.#logger.warn(messageOf('IO_LIMIT_REACHED', `${KINDS[kind]}${this.#optionOf(kind, namespace)}: ${outcome}${more}${latest}`));
    };
    this.#log.log(kind, log, count => log(`, ${count} times more in the last second`));
  }

  /**
   * Ends a connection at once, with what waits for it, so that its memory comes back. `disconnect` gets the reason `limit reached: <kind>`, after
   * which nobody is recovered. The client is told, unless it does not read.
   */
  endFor(connection: EngineSocket, kind: LimitKind, namespace?: LimitedNamespace): void {
    if (connection.readyState === 'closed') return;
    this.report(kind, 'its connection is closed', connection, namespace);
    intakeOf(connection)?.drop();
    if (kind !== 'backlog') sayWhy(connection, kind);
    terminate(connection, `limit reached: ${kind}`);
  }

  /** Writes the pending counts. To be called when all connections have been closed. */
  flush(): void {
    this.backlog?.close();
    this.attachments.close();
    this.newest = undefined;
    this.#log.flush();
  }

  /** The option that says where the limit is, for the log. Empty if there is none. */
  #optionOf(kind: LimitKind, namespace: LimitedNamespace | undefined): string {
    if (!(kind in this.settings)) return '';
    const isOwn = namespace && Reflect.get(namespace.limits, kind) !== Reflect.get(this.settings, kind);
    return ` (${isOwn ? `config.io.namespace['${namespace.name}'].limits` : 'config.io.limits'}.${kind})`;
  }
}
