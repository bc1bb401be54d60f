/**
 * What the sockets of connections do in front of Socket.IO's own methods. The functions are shared, so that a socket costs none.
 * Most of them keep what a listener of the app's own throws from ending the process, and from leaving a socket half closed.
 */
import { Socket } from 'socket.io';
import type { Connection } from './connection';
import { toError } from '../errors';
import { callListeners } from './listeners';
import { receivePacket, reportListener } from './packet';
import type { SocketUse } from './uses';
import { socketInternals } from '../internals/socket-io';

type Callback = (...answer: unknown[]) => void;

const CONNECTION = Symbol('connection');

type OwnSocket = Socket & { readonly [CONNECTION]: Connection };

/** Makes a socket that of a connection. */
export function adoptSocket(socket: Socket, connection: Connection): void {
  Object.assign(socket, { [CONNECTION]: connection, remoteAddress: socket.handshake.address }, SOCKET_METHODS);
}

/** The connection of a socket that is one's. */
export function connectionOf(socket: Socket): Connection {
  return (socket as OwnSocket)[CONNECTION];
}

/** Whether something else has taken the place of the method by which events of the client come in. */
export function isBypassed(socket: Socket): boolean {
  return socketInternals(socket).onevent !== SOCKET_METHODS.onevent;
}

const SOCKET_METHODS = {
  /** Socket.IO's own does nothing before a socket is connected: this one refuses it. */
  disconnect(this: OwnSocket, close = false): Socket {
    const connection = this[CONNECTION];
    if (!connection.isConnecting) {
      if (!this.connected) connection.dismissal = { close }; // admitted just now
      Socket.prototype.disconnect.call(this, close);
      return this;
    }
    connection.refuse({ code: 'CONNECTION_REFUSED', message: 'Connection refused' });
    if (close) this.conn.close();
    return this;
  },

  /** Socket.IO would run it only for events that are not routed. */
  use(this: OwnSocket, fn: SocketUse): Socket {
    (this[CONNECTION].uses ??= []).push(fn);
    return this;
  },

  /** An event of the client: `onAny()` first, as in Socket.IO. */
  onevent(this: OwnSocket, { data, id }: { data?: unknown[]; id?: number }): void {
    const packet = data ?? [];
    if (id !== undefined && id !== null) packet.push(socketInternals(this).ack(id));
    const anyListeners = this.listenersAny();
    if (anyListeners.length > 0)
      callListeners(this, [...anyListeners], packet, thrown =>
        reportListener(this[CONNECTION], packet, thrown, 'a listener of all events failed'),
      );
    socketInternals(this).dispatch(packet);
  },

  dispatch(this: OwnSocket, packet: unknown[]): void {
    receivePacket(this[CONNECTION], packet);
  },

  /** An event of the server: `disconnecting`, `disconnect` or `error`. */
  emitReserved(this: OwnSocket, event: string, ...args: unknown[]): boolean {
    const listeners = this.rawListeners(event);
    callListeners(this, listeners, args, thrown =>
      this[CONNECTION].log('error', `listener of ${JSON.stringify(event)} failed`, toError(thrown)),
    );
    return listeners.length > 0;
  },

  notifyOutgoingListeners(this: OwnSocket, { data }: { data: unknown[] }): void {
    const listeners = this.listenersAnyOutgoing();
    if (listeners.length > 0)
      callListeners(this, [...listeners], data, thrown =>
        this[CONNECTION].log('error', 'listener of outgoing events failed', toError(thrown)),
      );
  },

  /** The answer of a client. */
  onack(this: OwnSocket, { id, data }: { id: number; data: unknown[] }): void {
    const { acks } = socketInternals(this);
    const callback = acks.get(id);
    if (!callback) return;
    acks.delete(id);
    answerTo(this, callback, data);
  },

  /** Without a time-out Socket.IO's own never ends if the client goes. */
  async emitWithAck(this: OwnSocket, event: string, ...args: unknown[]): Promise<unknown> {
    const { flags } = socketInternals(this);
    flags.timeout ??= Infinity; // so that the callback takes an error first
    const answer = Socket.prototype.emitWithAck.call(this, event, ...args);
    delete flags.timeout; // flags stay where nothing could be sent
    return answer;
  },

  /** Who waits for a client's answer, and can be told of an error: that is so with a time-out. */
  registerAckCallback(this: OwnSocket, id: number, callback: Callback): void {
    const { acks, flags } = socketInternals(this);
    const { timeout } = flags;
    if (timeout === undefined) {
      acks.set(id, callback);
      return;
    }
    const connection = this[CONNECTION];
    const settle = (error: Error | null, ...answer: unknown[]): void => {
      clearTimeout(timer);
      acks.delete(id);
      connection.questions.delete(settle);
      answerTo(this, callback, [error, ...answer]);
    };
    const timer = timeout === Infinity ? undefined : setTimeout(() => settle(new Error('operation has timed out')), timeout);
    acks.set(id, (...answer: unknown[]) => settle(null, ...answer));
    connection.questions.add(settle);
  },
};

function answerTo(socket: OwnSocket, callback: Callback, args: unknown[]): void {
  callListeners(socket, [callback], args, thrown =>
    socket[CONNECTION].log('error', 'callback of an acknowledgement failed', toError(thrown)),
  );
}
