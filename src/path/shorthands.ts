/** `ctx.emit()`, `ctx.join()`, `ctx.id` and so on: members of the socket that contexts have for compatibility with 4.1.6. */
import type { Socket } from 'socket.io';

interface HasSocket {
  readonly socket: Socket;
}

const DELEGATED_PROPERTIES = [
  'client',
  'server',
  'adapter',
  'id',
  'conn',
  'rooms',
  'acks',
  'volatile',
  'broadcast',
  'connected',
  'disconnected',
  'handshake',
] as const;
const DELEGATED_METHODS = ['join', 'leave', 'to', 'in', 'send', 'write', 'disconnect'] as const;

/** Descriptors for the prototype of contexts, such as `ctx.join()` for `ctx.socket.join()`. */
export const SHORTHANDS: PropertyDescriptorMap & ThisType<HasSocket> = {
  ...Object.fromEntries(
    DELEGATED_PROPERTIES.map((name): [string, PropertyDescriptor & ThisType<HasSocket>] => [
      name,
      {
        configurable: true,
        get(): unknown {
          return Reflect.get(this.socket, name);
        },
      },
    ]),
  ),
  ...Object.fromEntries(
    DELEGATED_METHODS.map((name): [string, PropertyDescriptor & ThisType<HasSocket>] => [
      name,
      {
        configurable: true,
        writable: true,
        value(...args: unknown[]): unknown {
          return Reflect.apply(this.socket[name], this.socket, args);
        },
      },
    ]),
  ),
  // returns the socket as in 4.1.6: calls can be chained, and a controller that returns it does not answer the client
  emit: {
    configurable: true,
    writable: true,
    value(...args: Parameters<Socket['emit']>): Socket {
      this.socket.emit(...args);
      return this.socket;
    },
  },
  // Socket.IO 4 has no such flag: everything is JSON unless it is binary
  json: {
    configurable: true,
    get(): Socket {
      return this.socket;
    },
  },
};
