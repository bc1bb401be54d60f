/** Private members of Socket.IO: each with its reason, and the only casts to access them. */
import type { Namespace, Server, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import type { Members } from './members';

type Callback = (...args: unknown[]) => void;

/** Socket.IO's private ids. A client that reconnects sends its own as `pid`. */
const PRIVATE_ID = /^[\w-]{20}$/;

interface ServerInternals {
  _parser: Server['_parser'];
  readonly parentNsps: Map<unknown, Namespace>;
  readonly opts: {
    readonly connectionStateRecovery?: { readonly maxDisconnectionDuration?: number };
    readonly pingInterval?: number;
    readonly pingTimeout?: number;
  };
}

interface NamespaceInternals {
  readonly _preConnectSockets: Map<string, Socket>;
  _fns: unknown[];
  run(socket: Socket, done: (error?: Error) => void): void;
  _createSocket(...args: unknown[]): Promise<Socket>;
  _doConnect(socket: Socket, done?: (socket: Socket) => void): void;
  emitReserved(...args: unknown[]): boolean;
}

interface ParentInternals {
  readonly children: Set<Namespace>;
  createChild(name: string): Namespace;
}

interface SocketInternals {
  /** Set only if recovery is on. */
  pid: string;
  readonly acks: Map<number, Callback>;
  flags: { timeout?: number; local?: boolean };
  adapter: Adapter;
  dispatch(packet: unknown[]): void;
  onevent(packet: object): void;
  _onpacket(packet: object): void;
  packet(packet: { readonly type: number; readonly id?: number; readonly data: unknown[] }): void;
  newBroadcastOperator(): unknown;
  emitReserved(...args: unknown[]): boolean;
  notifyOutgoingListeners(packet: object): void;
  onack(packet: object): void;
  registerAckCallback(id: number, callback: Callback): void;
  _cleanup(): void;
  _onclose(reason: string): void;
}

interface OperatorInternals {
  readonly adapter: Namespace['adapter'];
  readonly rooms: Set<string>;
  readonly exceptRooms: Set<string>;
}

interface ClientInternals {
  encoder: Pick<Server['encoder'], 'encode'>;
  writeToEngine(frames: readonly unknown[], options: object): void;
  readonly nsps: ReadonlyMap<string, Socket>;
}

export const SERVER: Members<ServerInternals & Pick<Server, '_nsps' | '_opts' | '_checkNamespace' | 'encoder'>> = {
  package: 'socket.io',
  owner: 'Server',
  why: {
    parentNsps: 'the parents decide who may connect, even to an existing namespace',
    opts: 'the longest time for which a client may be disconnected and recover',
    _nsps: 'contains the replacement of a namespace that does not exist yet, while the parents are asked',
    _opts: 'whether empty namespaces are removed',
    encoder: 'a broadcast is encoded once for the clients of all workers',
    _parser: 'is replaced by a parser whose decoder refuses packets that are nested too deeply, and decodes packets of other processes',
    _checkNamespace: 'a CONNECT to a namespace that does not exist yet is an arrival like any other',
  },
};

export const NAMESPACE: Members<NamespaceInternals & Pick<Namespace, '_add' | '_ids' | '_initAdapter' | '_remove' | '_onServerSideEmit'>> =
  {
    package: 'socket.io',
    owner: 'Namespace',
    why: {
      _preConnectSockets: 'connecting sockets can be closed, refused or given an id of the app',
      _fns: 'the functions of use(), which Socket.IO copies from a parent to its children',
      run: 'runs the functions of use() between middleware of this plugin',
      _createSocket: 'creates sockets of a class of their server, with the messages that their clients have missed',
      _doConnect: 'the old connection of a recovered client ends only when all middleware has admitted the new one',
      emitReserved: 'calls listeners of the app, which may throw',
      _add: 'the entry of clients',
      _ids: 'the number of a question to a client, which listeners of the app do not hear',
      _initAdapter: 'a name that a client made up gets no adapter with a connection to other servers',
      _remove: 'an empty child stays if other clients are connecting to it, and goes with the last of them',
      _onServerSideEmit: 'delivers events of serverSideEmit() from other processes',
    },
  };

export const PARENT: Members<ParentInternals> = {
  package: 'socket.io',
  owner: 'ParentNamespace',
  why: {
    children: 'a namespace of the app becomes a child of the parent that accepts a client',
    createChild: 'creates the namespace that a client has asked for',
  },
};

export const SOCKET: Members<SocketInternals & Pick<Socket, '_error' | '_onerror'>> = {
  package: 'socket.io',
  owner: 'Socket',
  why: {
    pid: 'the private id of a client that can recover, which its old and its new connection have in common',
    acks: 'pending acknowledgements end when the client goes',
    flags: 'the timeout of an emit, and those of one that is not sent',
    adapter: 'a socket that is connecting or refused has rooms of its own',
    dispatch: 'runs the functions of socket.use(), and then the listeners of the app',
    onevent: 'receives events of a client',
    _onpacket: 'receives packets of a client, and is given events that have been decoded here',
    packet: 'sends acknowledgements, and missed messages to a recovered client',
    newBroadcastOperator: 'gives the operators of a socket emitWithAck() with a default time-out',
    _cleanup: 'removes a socket that never connects from the tables',
    _onclose: 'ends a socket with the reason that the server closes',
    emitReserved: 'calls listeners of the app, which may throw',
    notifyOutgoingListeners: 'calls listeners of the app, which may throw',
    onack: 'an acknowledgement calls the app, which may throw',
    registerAckCallback: 'questions end when the client goes',
    _error: 'refuses a client',
    _onerror: 'fires the event `error` of the server',
  },
};

export const OPERATOR: Members<OperatorInternals> = {
  package: 'socket.io',
  owner: 'BroadcastOperator',
  why: {
    adapter: 'the operators of all namespaces have one prototype',
    rooms: 'the room of a user has a name that to() refuses',
    exceptRooms: 'the room of a user has a name that except() refuses',
  },
};

export const CLIENT: Members<ClientInternals> = {
  package: 'socket.io',
  owner: 'Client',
  why: {
    encoder: 'what cannot be sent to one client throws at the caller',
    writeToEngine: 'sends what has been encoded to one client',
    nsps: 'a client may ask again for a namespace that it is connected to',
  },
};

export function serverInternals(server: Server): ServerInternals {
  return server as unknown as ServerInternals; // private or protected
}

export function namespaceInternals(nsp: Namespace): NamespaceInternals {
  return nsp as unknown as NamespaceInternals; // private, or typed otherwise
}

export function socketInternals(socket: Socket): SocketInternals {
  return socket as unknown as SocketInternals; // private
}

/** As `nsp.to(room)`, also for a reserved room, which the methods of operators refuse. */
export function toRoom(nsp: Namespace, room: string): ReturnType<Namespace['to']> {
  const operator = nsp.to([]);
  operatorInternals(operator).rooms.add(room);
  return operator;
}

/** As `nsp.except(room)`, also for a reserved room. */
export function exceptRoom(nsp: Namespace, room: string): ReturnType<Namespace['to']> {
  const operator = nsp.to([]);
  operatorInternals(operator).exceptRooms.add(room);
  return operator;
}

export function operatorInternals(operator: object): OperatorInternals {
  return operator as OperatorInternals; // private
}

/** The private id of a client that can recover. */
export function privateIdOf(socket: Socket): string {
  return socketInternals(socket).pid;
}

/** Whether a client may have that as its private id. What others send as one is not worth looking for. */
export function isPrivateId(value: unknown): value is string {
  return typeof value === 'string' && PRIVATE_ID.test(value);
}

/** The namespaces that a client is connected to. */
export function namespacesOf(client: Socket['client']): ReadonlyMap<string, Socket> {
  return clientInternals(client).nsps;
}

export function clientInternals(client: Socket['client']): ClientInternals {
  return client as unknown as ClientInternals; // private
}
