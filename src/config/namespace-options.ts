/** The public types of what a namespace has options for: presence, history and limits of users. */
import type { NamespaceAuth } from './auth-options';
import type { OnError } from './functions';
import type { NamespaceLimits } from './limits';

/** `config.io.namespace['/']` */
export interface NamespaceConfig {
  /**
   * Names of the middleware that runs around each connection to this namespace, outermost first. A name is that of a file in
   * `app/io/middleware`; `admin.auth` is `admin/auth.js`. Default: `[]`. Since 4.
   */
  connectionMiddleware?: string[];
  /**
   * Names of the middleware that runs around each incoming event of this namespace, outermost first. A name is that of a file in
   * `app/io/middleware`; `admin.auth` is `admin/auth.js`. Default: `[]`. Since 4.
   */
  packetMiddleware?: string[];
  /**
   * Whether the events of a connection are handled one after the other, in the order in which the client has sent them: the next one begins when
   * the last has settled. Those that wait count for `limits.pending`; without that limit, at most 1,000 wait, and further ones fail with
   * `TOO_MANY_EVENTS`. Default: `false`. Since 5.
   */
  ordered?: boolean;
  /**
   * What one client may cost in this namespace.
   * Default: those of [`config.io.limits`](limits.md). Since 5.
   */
  limits?: NamespaceLimits;
  /**
   * Limits for each user, whom connection middleware sets as `socket.user`. Clients without a user are not limited.
   * Default: none. Since 5.
   */
  userLimits?: UserLimits;
  /** Called for the errors of this namespace, in place of `config.io.onerror`. Default: `config.io.onerror`. Since 5. */
  onerror?: OnError;
  /** How long the logins of clients last, in place of `config.io.auth`. `false`: as long as their connections. Default: `config.io.auth`. Since 5. */
  auth?: NamespaceAuth | false;
  /**
   * The rooms whose events are kept for clients that come back, by their names, or by patterns such as `room:*`, where `*` stands for one character or more.
   * Default: none. Since 5.
   */
  history?: Record<string, HistoryConfig>;
  /**
   * The rooms in which presence is known, by patterns of their names, such as `room:*`: a list of who is there, and the event `presence` for their
   * clients. A room must match one pattern at most. Default: none. Since 5.
   */
  presence?: Record<string, PresenceConfig>;
}

/** `config.io.namespace['/'].presence['room:*']` */
export interface PresenceConfig {
  /** Time in ms: a user who is back sooner has not left. At most a day. Default: `5000`. Since 5. */
  grace?: number;
}

/** `config.io.namespace['/'].history['room:*']` */
export interface HistoryConfig {
  /** The number of events that are kept of each room, from 1 to 10000. Default: `100`. Since 5. */
  size?: number;
  /** The time for which an event is kept, in ms. Default: `300000`. Since 5. */
  ttl?: number;
  /**
   * What a client may read: `'joined'`: what came after it had first been in the room; `'ever'`: also what came before, if it asks for that.
   * Default: `'joined'`. Since 5.
   */
  since?: 'joined' | 'ever';
}

/** `config.io.namespace['/'].userLimits` */
export interface UserLimits {
  /**
   * The most connections of one user to this namespace, on all workers and servers. In a pattern, it is for each of its namespaces.
   * Default: no limit. Since 5.
   */
  connections?: number;
  /**
   * What happens if a user who has `connections` of them opens one more. `'replace'`: the server disconnects the oldest one. `'refuse'`: the new one
   * is refused with the code `TOO_MANY_CONNECTIONS`. Default: `'replace'`. Since 5.
   */
  whenFull?: 'replace' | 'refuse';
  /**
   * The most events per second of one user, of all connections to a worker together, on the average. In a pattern, it is for all of its namespaces.
   * Further events fail with the code `TOO_MANY_EVENTS`. Default: no limit. Since 5.
   */
  events?: number;
  /** The number of events that a user may send at once after a pause. Default: as `events`. Since 5. */
  burst?: number;
}
