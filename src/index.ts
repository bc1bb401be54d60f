/** The public exports. Egg starts the plugin itself by app.ts. */
import type { Socket as TcpSocket } from 'node:net';
import type { IoConfig } from './config/options';
import type { Server } from './server/server';
import type { HasUser, Socket } from './types';
import type { Acknowledge } from './events';

export type {
  AccessLogConfig,
  AdminConfig,
  AdminUiConfig,
  AdminUiPassword,
  AllowAdmin,
  DrainConfig,
  AdapterConfig,
  AdapterFactory,
  AdapterName,
  AuthConfig,
  BoundTo,
  CheckAuth,
  EventRate,
  EventsLimit,
  ExpiresAt,
  GenerateId,
  HistoryConfig,
  InitOptions,
  IoConfig,
  LimitsConfig,
  NamespaceAuth,
  NamespaceConfig,
  NamespaceLimits,
  NamespacesLimit,
  OnError,
  PendingLimit,
  PerAddressLimit,
  PresenceConfig,
  PrometheusConfig,
  RecheckConfig,
  RecoveryConfig,
  RecoveryLimit,
  RedisConfig,
  RenewAuth,
  RoomsLimit,
  SessionOwner,
  TracingConfig,
  UserLimits,
} from './config/options';
export type { HistoryEvent, HistoryPage, HistoryPosition, HistoryQuery, RoomHistory } from './backplane/room-history';
export type { UserOperator } from './backplane/user-operator';
export { type ErrorAnswer, IoError, type IoErrorOptions, type OutageCode, OutageError, type SetupCode, SetupError } from './errors';
export type { ClientEvents, EventArgs, EventName, NamespaceName, ServerEvents, SocketData, Acknowledge } from './events';
export type { Present, PresenceChange } from './presence/changes';
export type { PresenceMeta } from './presence/meta';
export type { Presence } from './presence/presence';
export type { AddRoute, AddUnmatchedRoute, RouteArguments, RouteOptions, Routes } from './server/routes';
export type { SocketUser } from './socket-user';
export type { RoutedNamespace } from './server/routed-namespace';
export type { Server } from './server/server';
export type {
  Controllers,
  Handler,
  IoController,
  IoControllers,
  IoMiddlewares,
  Middleware,
  Middlewares,
  PacketContext,
  Socket,
  SpecificHandler,
  SpecificMiddleware,
} from './types';

/**
 * Egg declares `ctx.socket` as the TCP socket of an HTTP request, so our type has to be compatible with that. Since `@types/node` 26 it has a
 * public `server`, and Socket.IO's class has a private one: only the public members of that class are compatible.
 */
type ContextSocket = ('server' extends keyof TcpSocket ? Pick<Socket, Exclude<keyof Socket, 'user'>> & HasUser : Socket) &
  TcpSocket & { encrypted: boolean };

declare module 'egg' {
  interface Application {
    /** Socket.IO's server, with Egg's router, middleware and controllers. */
    io: Server;
  }

  interface Agent {
    /**
     * Socket.IO's server without clients of its own: emits reach the clients of all workers, and wait if there are no workers yet.
     * It costs nothing before it is used. It has no routes, middleware or controllers, despite its type: egg 4 has one type for all processes.
     * @throws SetupError IO_AGENT_ALONE if the agent cannot reach the workers
     */
    io: Server;
  }

  /** The type of `this.app` in controllers and services of egg 4. Does not exist in egg 3. */
  interface EggApplicationCore {
    io: Server;
  }

  interface Context {
    /** The client. Available in connection middleware, packet middleware and controllers of `app/io` only. */
    get socket(): ContextSocket; // an accessor, as in Egg 4
    /** `[event, ...args]` of the packet, followed by the acknowledgement function if the client asked for one. */
    packet: [event: string, ...args: unknown[]];
    /** The arguments of the packet, copied from `packet` on first access. For typed arguments, use `PacketContext`. */
    args: unknown[];
    /** Acknowledges the packet. Undefined if the client did not ask for that. A controller that returns a value need not call it. */
    ack: Acknowledge | undefined;
    /**
     * Aborts when the client goes while the packet is handled, or while the connection's middleware runs: its `reason` has the code `IO_CLIENT_GONE`.
     * In handlers of reserved events and of events with an idempotency key, which have to end without the client too, it does not.
     * It also aborts when `config.io.limits.handlerTimeout` is over, with the code `TIMEOUT`, and for a client that cannot finish connecting in time,
     * with `CONNECT_TIMEOUT`.
     */
    signal: AbortSignal;
  }

  interface EggAppConfig {
    io: IoConfig;
  }
}
