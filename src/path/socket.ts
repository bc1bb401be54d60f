/**
 * Methods that replace Socket.IO's own on the sockets of connections, in a prototype that the sockets of a server share.
 * Most of them keep an error in a listener of the app from ending the process, or from leaving a socket half closed.
 */
import { type Server, Socket } from 'socket.io';
import { acknowledgementOf } from './acknowledgement';
import type { Connection } from './connection';
import { receiveControl } from './control-packet';
import { isControl } from './controls';
import type { Deprecations } from '../deprecated/deprecations';
import { toError } from '../thrown';
import { callListeners } from './listeners';
import { receivePacket } from './packet';
import { reportFailure } from './packet-failure';
import { endForExcess, refuseOverRate } from './packet-limits';
import { refuseExcess } from './refused-events';
import { guardRooms } from './rooms';
import { addUser } from './user';
import { eventOf } from '../store/history';
import type { SocketUse } from './uses';
import { socketClassOf } from '../internals/socket-class';
import { clientInternals, socketInternals } from '../internals/socket-io';

const CONNECTION = Symbol('connection');

type Callback = (...answer: unknown[]) => void;
type OwnSocket = Socket & { [CONNECTION]: Connection };

const SOCKET_METHODS = {
  /** Socket.IO's own method does nothing before the socket is connected. This one refuses the client. */
  disconnect(this: OwnSocket, close = false): Socket {
    const connection = this[CONNECTION];
    if (!connection.isConnecting) {
      if (!this.connected) connection.dismissal = { close }; // admitted, but not yet connected
      Socket.prototype.disconnect.call(this, close);
      return this;
    }
    connection.refuse({ code: 'CONNECTION_REFUSED', message: 'Connection refused' });
    if (close) this.conn.close();
    return this;
  },

  /** Socket.IO's own method would take effect only for events without a route. */
  use(this: OwnSocket, fn: SocketUse): Socket {
    (this[CONNECTION].uses ??= []).push(fn);
    return this;
  },

  /** Receives an event of the client. Listeners of `onAny()` are called first, as in Socket.IO. */
  onevent(this: OwnSocket, { data, id }: { data?: unknown[]; id?: number }): void {
    const packet = data ?? [];
    if (endForExcess(this[CONNECTION], id, packet[0])) return;
    if (id !== undefined && id !== null) {
      const connection = this[CONNECTION];
      const ack = acknowledgementOf(connection, id, packet);
      packet.push(connection.namespace.runtime.eventWarnings?.follow(ack) ?? ack);
    }
    if (this[CONNECTION].bucket?.take() === false) return refuseExcess(this[CONNECTION], packet);
    if (refuseOverRate(this[CONNECTION], packet)) return;
    if (isControl(packet[0])) return receiveControl(this[CONNECTION], packet);
    receiveEvent(this, packet);
  },

  dispatch(this: OwnSocket, packet: unknown[]): void {
    receivePacket(this[CONNECTION], packet);
  },

  /** Fires an event of the server: `disconnecting`, `disconnect` or `error`. */
  emitReserved(this: OwnSocket, event: string, ...args: unknown[]): boolean {
    const listeners = this.rawListeners(event);
    callListeners(this, listeners, args, thrown =>
      this[CONNECTION].log('error', `listener of ${JSON.stringify(event)} failed`, toError(thrown)),
    );
    return listeners.length > 0;
  },

  /** As Socket.IO's own, but of an event that cannot be sent nothing is left: no flags, and nothing that waits for its answer. */
  emit(this: OwnSocket, ...args: Parameters<Socket['emit']>): boolean {
    const { acks } = socketInternals(this);
    const before = acks.size;
    try {
      return Socket.prototype.emit.apply(this, args);
    } catch (error) {
      socketInternals(this).flags = {}; // otherwise the next emit had them: with `local`, it would not reach other workers
      const [last] = [...acks.keys()].slice(before);
      if (last !== undefined) {
        acks.delete(last);
        this[CONNECTION].questions.withdraw(last);
      }
      throw error;
    }
  },

  notifyOutgoingListeners(this: OwnSocket, { data }: { data: unknown[] }): void {
    const listeners = this.listenersAnyOutgoing();
    if (listeners.length === 0) return;
    const event = eventOf(data);
    if (event.length > 0)
      callListeners(this, [...listeners], event, thrown =>
        this[CONNECTION].log('error', 'listener of outgoing events failed', toError(thrown)),
      );
  },

  /** Receives the answer of a client. */
  onack(this: OwnSocket, { id, data }: { id: number; data: unknown[] }): void {
    if (endForExcess(this[CONNECTION], id)) return;
    const { acks } = socketInternals(this);
    const callback = acks.get(id);
    if (!callback) return;
    acks.delete(id);
    answerTo(this, callback, data);
  },

  /** Without a time-out, Socket.IO's own method never settles if the client goes. */
  async emitWithAck(this: OwnSocket, event: string, ...args: unknown[]): Promise<unknown> {
    const { flags } = socketInternals(this);
    flags.timeout ??= Infinity; // makes Socket.IO pass an error as the first argument
    const answer = Socket.prototype.emitWithAck.call(this, event, ...args);
    delete flags.timeout; // still set if nothing could be sent
    return answer;
  },

  /** Registers a callback for the client's answer. With a time-out the callback takes an error, so it is also called when the client goes. */
  registerAckCallback(this: OwnSocket, id: number, callback: Callback): void {
    const { acks, flags } = socketInternals(this);
    const { timeout } = flags;
    if (timeout === undefined) return void acks.set(id, callback);
    const connection = this[CONNECTION];
    const settle = (error: Error | null | undefined, ...answer: unknown[]): void => {
      clearTimeout(timer);
      acks.delete(id);
      connection.questions.delete(id);
      if (error !== undefined) answerTo(this, callback, [error, ...answer]);
    };
    const timer = timeout === Infinity ? undefined : setTimeout(() => settle(new Error('operation has timed out')), timeout);
    acks.set(id, (...answer: unknown[]) => settle(null, ...answer));
    connection.questions.add(id, settle);
  },
};

/** Gives the sockets of a server what this plugin adds. */
export function addToSockets(server: Server, deprecations: Deprecations): void {
  addMethods(socketClassOf(server).prototype, deprecations);
}

/** Links a socket to its connection. */
export function adoptSocket(socket: Socket, connection: Connection): void {
  const { prototype } = socketClassOf(socket.nsp.server);
  // a namespace that has its adapter by `app.io.adapter()`, with recovery, creates Socket.IO's own
  if (!Object.prototype.isPrototypeOf.call(prototype, socket)) Object.setPrototypeOf(socket, prototype);
  (socket as OwnSocket)[CONNECTION] = connection;
  clientInternals(socket.client).encoder = connection.namespace.encoder;
}

function addMethods(prototype: Socket, deprecations: Deprecations): void {
  if (Object.hasOwn(prototype, 'onevent')) return; // another namespace of the server has done so
  Object.assign(prototype, SOCKET_METHODS);
  Object.defineProperty(prototype, 'remoteAddress', {
    get(this: Socket): string {
      return this.conn.remoteAddress;
    },
    set(this: Socket, value: unknown) {
      Object.defineProperty(this, 'remoteAddress', { value, writable: true, enumerable: true, configurable: true }); // apps may put the address behind their proxy there
    },
  });
  deprecations.addToSockets(prototype);
  guardRooms(prototype, connectionOf);
  addUser(prototype, connectionOf);
}

/** Receives an event after `onevent`: `[event, ...args]`, with the acknowledgement function if the client asked for one. */
export function receiveEvent(socket: Socket, packet: unknown[]): void {
  const anyListeners = socket.listenersAny();
  if (anyListeners.length > 0)
    callListeners(socket, [...anyListeners], packet, thrown =>
      reportFailure(connectionOf(socket), packet, thrown, { place: 'a listener of all events failed' }),
    );
  socketInternals(socket).dispatch(packet);
}

/** The connection that a socket has been linked to. */
export function connectionOf(socket: Socket): Connection {
  return (socket as OwnSocket)[CONNECTION];
}

/** Whether another package has replaced the method that receives the client's events. */
export function isBypassed(socket: Socket): boolean {
  return socketInternals(socket).onevent !== SOCKET_METHODS.onevent;
}

function answerTo(socket: OwnSocket, callback: Callback, args: unknown[]): void {
  callListeners(socket, [callback], args, thrown =>
    socket[CONNECTION].log('error', 'callback of an acknowledgement failed', toError(thrown)),
  );
}
