/**
 * Operators: what `nsp.to(room)`, `nsp.local`, `socket.broadcast` and their like return. Those of a namespace have a prototype of their own in front
 * of Socket.IO's, so that they can do more here without a change to what other servers of the process use.
 */
import type { Namespace, Socket } from 'socket.io';
import { namespaceInternals, socketInternals } from '../internals/socket-io';

/** Socket.IO's BroadcastOperator, which it exports as a type of many parameters only. */
export interface Operator {
  readonly flags: { readonly local?: boolean; readonly expectSingleResponse?: boolean; readonly timeout?: number };
  /** A copy of the operator. */
  timeout(ms: number): Operator;
  emit(event: string, ...args: unknown[]): boolean;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
}

/** What namespaces can do besides what Socket.IO's can. */
export interface Asking {
  /**
   * Emits to all clients of all servers, and resolves with what each of them has acknowledged.
   * Rejects with an error whose `responses` has the acknowledgements so far if one of them takes longer than 5 s; `timeout(ms)` before it
   * says otherwise. `to(room)`, `except(room)` and `local` before it choose the clients.
   */
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown[]>;
}

/** How long clients may take to acknowledge a broadcast, in ms, where the app does not say. For Socket.IO that is 1 ms. */
const ACKNOWLEDGEMENT = 5000;

const METHODS = ['to', 'in', 'except', 'compress', 'timeout'] as const;
const GETTERS = ['volatile', 'local'] as const;

/** The prototype of all operators that a namespace and its sockets make from now on. To be called once for a namespace. */
export function operatorsOf(nsp: Namespace): Operator {
  const plain = Object.getPrototypeOf(nsp.to([])) as Operator; // not changed yet
  const own = Object.create(plain) as Operator;
  const adopt = (operator: unknown): unknown => Object.setPrototypeOf(operator, own) as unknown;
  for (const target of [
    { of: own, from: plain },
    { of: nsp, from: Object.getPrototypeOf(nsp) as object },
  ]) {
    for (const name of METHODS) {
      const method = Reflect.get(target.from, name) as (...args: unknown[]) => unknown; // these have it, all of them
      define(target.of, name, {
        value(...args: unknown[]): unknown {
          return adopt(method.apply(this, args));
        },
      });
    }
    for (const name of GETTERS) {
      define(target.of, name, {
        get(): unknown {
          return adopt(Reflect.get(target.from, name, this));
        },
      });
    }
    const fetchSockets = Reflect.get(target.from, 'fetchSockets') as () => Promise<object[]>; // both have it
    define(target.of, 'fetchSockets', {
      async value(): Promise<object[]> {
        const sockets = await fetchSockets.call(this);
        for (const socket of sockets) if ('operator' in socket) adopt(socket.operator); // one of another server has its own
        return sockets;
      },
    });
  }
  define(own, 'emit', {
    writable: true,
    value(this: Operator, event: string, ...args: unknown[]): boolean {
      // a copy, since operators that are made of one another share their flags
      const isUnlimited = typeof args.at(-1) === 'function' && this.flags.timeout === undefined;
      return plain.emit.call(isUnlimited ? this.timeout(ACKNOWLEDGEMENT) : this, event, ...args);
    },
  });
  const emitHere = nsp.emit.bind(nsp) as Operator['emit']; // typed by the app's events
  define(nsp, 'emit', {
    value: (event: string, ...args: unknown[]): boolean =>
      typeof args.at(-1) === 'function' ? everybody().emit(event, ...args) : emitHere(event, ...args),
  });
  define(nsp, 'emitWithAck', { value: (event: string, ...args: unknown[]): Promise<unknown> => everybody().emitWithAck(event, ...args) });
  const everybody = (): Operator => nsp.to([]) as unknown as Operator; // one of Socket.IO's types
  const ofSocket = function (this: Socket): unknown {
    return adopt(newBroadcastOperator?.call(this));
  };
  let newBroadcastOperator: ((this: Socket) => unknown) | undefined;
  // as soon as there is a socket: middleware may broadcast
  const createSocket = namespaceInternals(nsp)._createSocket.bind(nsp);
  define(nsp, '_createSocket', {
    async value(...args: unknown[]): Promise<Socket> {
      const socket = await createSocket(...args);
      newBroadcastOperator ??= socketInternals(Object.getPrototypeOf(socket) as Socket).newBroadcastOperator;
      define(socket, 'newBroadcastOperator', { value: ofSocket });
      return socket;
    },
  });
  return own;
}

function define(target: object, name: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(target, name, { configurable: true, ...descriptor });
}
