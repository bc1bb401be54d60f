/** The public types of what a namespace has options for: presence, history and limits of users. */

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
