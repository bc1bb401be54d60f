/**
 * Operators: the objects that `nsp.to(room)`, `nsp.local`, `socket.broadcast` and so on return. Those of a server get a prototype of their own,
 * derived from Socket.IO's, so that methods can be added without affecting other servers of the process.
 */
import type { Namespace, Server, Socket } from 'socket.io';
import type { AckFunction, Arguments } from '../events';
import { refuseReserved } from '../rooms';
import { sharedPrototypeOf } from '../internals/namespace-class';
import { socketClassOf } from '../internals/socket-class';
import { serverInternals, socketInternals } from '../internals/socket-io';

/** Socket.IO's BroadcastOperator, which it exports as a type with many parameters only. */
export interface Operator {
  readonly flags: { readonly local?: boolean; readonly expectSingleResponse?: boolean; readonly timeout?: number };
  /** A copy of the operator. */
  timeout(ms: number): Operator;
  emit(event: string, ...args: unknown[]): boolean;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
}

/** The method that namespaces have in addition to those of Socket.IO. */
export interface Asking<EmitEvents> {
  /**
   * Emits to all clients of all servers, and resolves with the acknowledgement of each of them.
   * Rejects if one of them takes longer than 5 s; `responses` of the error has the acknowledgements so far. Call `timeout(ms)` first for
   * another time-out, and `to(room)`, `except(room)` or `local` to select clients.
   */
  emitWithAck<Event extends QuestionName<EmitEvents>>(
    event: Event,
    ...args: QuestionArgs<EmitEvents, Event>
  ): Promise<Answer<EmitEvents, Event>[]>;
}

/** The names of the events that ask for an acknowledgement. Any string, if events are not declared. */
export type QuestionName<Events> = string extends keyof Events
  ? string
  : { [Event in keyof Events & string]: [AckFunction<Events[Event]>] extends [never] ? never : Event }[keyof Events & string];

/** The arguments of such an event, without the acknowledgement function. */
export type QuestionArgs<Events, Event> = string extends keyof Events
  ? unknown[]
  : Event extends keyof Events
    ? Arguments<Events[Event]> extends [...infer Values, unknown]
      ? Values
      : never
    : never;

/** What a client answers. */
export type Answer<Events, Event> = string extends keyof Events
  ? unknown
  : Event extends keyof Events
    ? AckFunction<Events[Event]> extends (answer: infer One, ...more: never[]) => unknown
      ? One
      : never
    : never;

/** Passes an operator on with the prototype of its server. */
type Adopt = (operator: unknown) => unknown;

/** Default time in ms for clients to acknowledge a broadcast. Socket.IO's own default is 1 ms. */
export const ACKNOWLEDGE_TIMEOUT = 5000;

/** The members of operators and namespaces that return an operator. */
const METHODS = ['compress', 'timeout'] as const;
const METHODS_OF_ROOMS = ['to', 'in', 'except'] as const;
const GETTERS = ['volatile', 'local'] as const;

/** By the prototype of namespaces. */
const prototypes = new WeakMap<object, Operator>();

/** The prototype of all operators that the namespaces of a server and their sockets create. The first call for a namespace makes it create these. */
export function operatorsOf(nsp: Namespace): Operator {
  const namespaces = sharedPrototypeOf(nsp);
  let prototype = prototypes.get(namespaces);
  if (!prototype) prototypes.set(namespaces, (prototype = addOperators(namespaces, nsp)));
  return prototype;
}

/** @param nsp one of the namespaces with this prototype, which still has Socket.IO's methods */
function addOperators(namespaces: object, nsp: Namespace): Operator {
  const original = Object.getPrototypeOf(nsp.to([])) as Operator;
  const prototype = Object.create(original) as Operator;
  const adopt: Adopt = operator => Object.setPrototypeOf(operator, prototype) as unknown;
  const ofSocketIo = Object.getPrototypeOf(namespaces) as { readonly emit: Operator['emit'] }; // typed by the app's events
  adoptResults(prototype, original, adopt);
  adoptResults(namespaces, ofSocketIo, adopt);
  adoptOperatorsOfSockets(namespaces, nsp.server, adopt);
  define(prototype, 'emit', {
    writable: true,
    value(this: Operator, event: string, ...args: unknown[]): boolean {
      return original.emit.call(typeof args.at(-1) === 'function' ? withTimeout(this) : this, event, ...args);
    },
  });
  const everybody = (of: Namespace): Operator => of.to([]) as unknown as Operator; // Socket.IO's own type
  define(namespaces, 'emit', {
    value(this: Namespace, event: string, ...args: unknown[]): boolean {
      return typeof args.at(-1) === 'function'
        ? everybody(this).emit(event, ...args)
        : Reflect.apply(ofSocketIo.emit, this, [event, ...args]);
    },
  });
  define(namespaces, 'emitWithAck', {
    value(this: Namespace, event: string, ...args: unknown[]): Promise<unknown> {
      return everybody(this).emitWithAck(event, ...args);
    },
  });
  return prototype;
}

/** Makes the methods and getters of an object, which it has from Socket.IO, return adopted operators. */
function adoptResults(object: object, original: object, adopt: Adopt): void {
  const methodOf = (name: string) => Reflect.get(original, name) as (...args: unknown[]) => unknown; // a namespace and an operator have all of these
  for (const name of METHODS) {
    const method = methodOf(name);
    define(object, name, {
      value(...args: unknown[]): unknown {
        return adopt(method.apply(this, args));
      },
    });
  }
  for (const name of METHODS_OF_ROOMS) {
    const method = methodOf(name);
    define(object, name, {
      value(rooms: unknown): unknown {
        refuseReserved(rooms);
        return adopt(method.call(this, rooms));
      },
    });
  }
  for (const name of GETTERS) {
    define(object, name, {
      get(): unknown {
        return adopt(Reflect.get(original, name, this));
      },
    });
  }
  const fetchSockets = methodOf('fetchSockets') as () => Promise<object[]>;
  define(object, 'fetchSockets', {
    async value(): Promise<object[]> {
      const sockets = await fetchSockets.call(this);
      for (const socket of sockets) if ('operator' in socket) adopt(socket.operator); // a socket of another server
      return sockets;
    },
  });
}

/** Makes namespaces create sockets of the server's class, whose operators are adopted. With recovery, [recovery.ts](wrappers/recovery.ts) creates them. */
function adoptOperatorsOfSockets(namespaces: object, server: Server, adopt: Adopt): void {
  const ServerSocket = socketClassOf(server);
  const { newBroadcastOperator } = socketInternals(ServerSocket.prototype);
  define(ServerSocket.prototype, 'newBroadcastOperator', {
    value(this: Socket): unknown {
      return adopt(newBroadcastOperator.call(this));
    },
  });
  if (serverInternals(server).opts.connectionStateRecovery !== undefined) return;
  define(namespaces, '_createSocket', {
    value(this: Namespace, client: Socket['client'], auth: Record<string, unknown>): Socket {
      return new ServerSocket(this, client, auth); // without the promises of Socket.IO's own method
    },
  });
}

function define(target: object, name: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(target, name, { configurable: true, ...descriptor });
}

/** Returns an operator with a time-out for acknowledgements: if this one has none, a copy, since operators derived from each other share flags. */
export function withTimeout(operator: Operator): Operator {
  return operator.flags.timeout === undefined ? operator.timeout(ACKNOWLEDGE_TIMEOUT) : operator;
}
