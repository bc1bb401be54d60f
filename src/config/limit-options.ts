/** The public types of limits that have several options. */

/** `config.io.limits.events` */
export interface EventsLimit {
  /** The most events per second, on the average. Default: `1000`. Since 5. */
  perSecond?: number;
  /** The number of events that a client may send at once after a pause, such as those that it has kept while it was away. Default: `5000`. Since 5. */
  burst?: number;
  /** `true`: further events fail with `TOO_MANY_EVENTS`, and the server reads on. Default: `false`. Since 5. */
  drop?: boolean;
}

/** `config.io.limits.pending` */
export interface PendingLimit {
  /** The most events whose handlers have not ended. Default: `1000`. Since 5. */
  max?: number;
  /** `true`: further events fail with `BUSY`, and the server reads on. Default: `false`. Since 5. */
  drop?: boolean;
}

/** `config.io.limits.namespaces` */
export interface NamespacesLimit {
  /** The most namespaces of one client. Default: `100`. Since 5. */
  max?: number;
  /** The most characters in the name of a namespace that is made on demand. Default: `200`. Since 5. */
  nameLength?: number;
}

/** `config.io.limits.rooms` */
export interface RoomsLimit {
  /** The most rooms of one connection. Its own one does not count, nor do those of users and of this plugin. Default: `10000`. Since 5. */
  max?: number;
  /** The most characters in the name of a room. Default: `256`. Since 5. */
  nameLength?: number;
}

/** `config.io.limits.recovery` */
export interface RecoveryLimit {
  /** The most clients that have gone. Default: `10000`. Since 5. */
  sessions?: number;
  /** The most bytes in one namespace: events, and the rooms and data of clients that have gone. Default: `16777216`, 16 MB. Since 5. */
  namespaceBytes?: number;
  /** The same for all namespaces together. Default: `67108864`, 64 MB. Since 5. */
  bytes?: number;
}
