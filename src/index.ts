/** What apps import. The plugin itself is started by Egg, see app.ts. */
import type { Socket as TcpSocket } from 'node:net';
import type { Socket as SocketIoSocket } from 'socket.io';
import type { IoConfig } from './config/options';
import type { Server } from './server/server';
import type { Acknowledge } from './types';

export type {
  AdapterConfig,
  AdapterFactory,
  AdapterName,
  GenerateId,
  InitOptions,
  IoConfig,
  NamespaceConfig,
  RedisConfig,
} from './config/options';
export { type ErrorAnswer, IoError, type IoErrorOptions, type OutageCode, OutageError, type SetupCode, SetupError } from './errors';
export type { RoutedNamespace, Server } from './server/server';
export type {
  Acknowledge,
  ClientEvents,
  Controllers,
  EventArgs,
  Handler,
  IoController,
  IoControllers,
  IoMiddlewares,
  Middleware,
  Middlewares,
  PacketContext,
  RouteOptions,
  Routes,
  SpecificHandler,
} from './types';

/** A client in a namespace. */
export interface Socket extends SocketIoSocket {
  /** The address of the client as the connection shows it; behind a proxy, `ctx.ip` knows more. */
  readonly remoteAddress: string;
}

/**
 * Egg types `ctx.socket` as the TCP socket of an HTTP request, and another type has to fit that. Since `@types/node` 26 that has a public `server`,
 * and Socket.IO's class a private one: of that class, only the public members fit.
 */
type ContextSocket = ('server' extends keyof TcpSocket ? Pick<Socket, keyof Socket> : Socket) & TcpSocket & { encrypted: boolean };

declare module 'egg' {
  interface Application {
    /** Socket.IO's server, with Egg's router, middleware and controllers. */
    io: Server;
  }

  interface Agent {
    /**
     * Socket.IO's server without clients of its own: what it emits reaches those of all workers, and what is said before they are there waits.
     * It costs nothing before it is used. It has no routes, middleware or controllers, whatever its type says: egg 4 types all of its
     * processes alike.
     * @throws SetupError IO_AGENT_ALONE where there is no way to the workers
     */
    io: Server;
  }

  /** What `this.app` of controllers and services is in egg 4. In egg 3 nothing has this name. */
  interface EggApplicationCore {
    io: Server;
  }

  interface Context {
    /** The client. Only in connection middleware, packet middleware and the controllers of `app/io`. */
    get socket(): ContextSocket; // an accessor, as in Egg 4
    /** `[event, ...args]` of the packet; a client that asks for an acknowledgement puts its function at the end. */
    packet: [event: string, ...args: unknown[]];
    /** The arguments of the packet, made from `packet` when first read. Their types are known to `PacketContext`. */
    args: unknown[];
    /** Answers the client; undefined if it did not ask. A controller that returns something need not call it. */
    ack: Acknowledge | undefined;
  }

  interface EggAppConfig {
    io: IoConfig;
  }
}
