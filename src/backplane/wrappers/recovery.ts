/**
 * Connection state recovery. The events that a client has missed, and those emitted while its middleware runs, wait on the server until the
 * client is connected. Socket.IO itself sends the former before the middleware has run, and loses the latter. A client may also return before
 * its server has noticed its disconnection: it then has two sockets with the same id for a while.
 */
import type { Namespace, Socket } from 'socket.io';
import type { Adapter } from 'socket.io-adapter';
import { debug } from '../../debug';
import { EMIT_HERE } from '../recovery/emit-here';
import { followData, followRooms } from '../recovery/follow';
import { Owners } from '../recovery/owners';
import { ReturningClients } from '../recovery/returning-clients';
import { leaveRooms, holderOf, withRoomsOfItsOwn } from '../recovery/rooms';
import type { Gone } from '../recovery/gone-clients';
import { missedOf, type Source, type Taken, unsentOf } from '../recovery/source';
import { socketClassOf } from '../../internals/socket-class';
import type { Logger } from '../../egg';
import { messageOf } from '../../errors';
import { toError } from '../../thrown';
import { namespaceInternals, socketInternals } from '../../internals/socket-io';

/** For the connecting socket of a returning client, its former socket. */
const formerSockets = new WeakMap<Socket, Socket>();

/** The former socket of a returning client, if this server still has it, until the new socket is connected. */
export function formerSocketOf(socket: Socket): Socket | undefined {
  return formerSockets.get(socket);
}

type StartAnew = (assignId: () => void) => void;

/** For the connecting socket of a returning client, what makes it a new one. */
const newStarts = new WeakMap<Socket, StartAnew>();

/**
 * Makes a returning client a new one: it has come back as somebody else. To be called while its middleware runs.
 *
 * @param assignId gives the socket the id that the app wants
 */
export function startAnew(socket: Socket, assignId: () => void): void {
  newStarts.get(socket)?.(assignId);
}

type Client = Socket['client'];

const NOT_FOUND = 'no session was found: it was away for too long, nobody has it, or an event may have been lost. It is a new one';

/** Changes a namespace. @param sourceFor creates the source of its sessions. Returns the source, and the returning clients. */
export function recoverConnections<S extends Source>(
  adapter: Adapter,
  nsp: Namespace,
  sourceFor: (clients: ReturningClients) => S,
  logger: Logger,
): { clients: ReturningClients; source: S } {
  const clients = new ReturningClients(nsp);
  const source = sourceFor(clients);
  const ServerSocket = socketClassOf(nsp.server);
  const doConnect = namespaceInternals(nsp)._doConnect.bind(nsp);
  /** For a socket that is being connected, what its client has missed. */
  const takenFor = new WeakMap<Socket, Taken>();
  /** For a socket whose client is not recovered, the private id that it had before. */
  const formerIds = new WeakMap<Socket, string>();

  const owners = Owners.of(nsp);

  const onFailure =
    (socket: Socket) =>
    (thrown: unknown): void => {
      const problem = `namespace ${nsp.name}: a returning client could not be connected, and tries again`;
      logger.error(messageOf('IO_RECOVERY_FAILED', problem), toError(thrown));
      socket.conn.close(true);
    };

  const cleanUp = function (this: Socket): void {
    const { isComingBack, unused } = clients.remove(this);
    formerSockets.delete(this);
    source.end(this);
    if (unused) source.giveBack(unused);
    leaveRooms(this, nsp, isComingBack);
  };

  const createSocket = (client: Client, auth: object, session?: Gone): Socket => {
    const copy = session && { ...session, data: { ...(session.data as object) }, rooms: [], missedPackets: [] }; // any, and an object by default
    const socket = new ServerSocket(nsp, client, auth as Record<string, unknown>, copy);
    Object.assign(socket, { _cleanup: cleanUp, ...(source.isShared && EMIT_HERE) });
    clients.add(socket);
    return socket;
  };

  const restoreSocket = async (client: Client, auth: object, pid: string, offset: string, owner?: string): Promise<Socket> => {
    const broadcasts = clients.beginRestoring();
    try {
      const former = clients.latest(pid);
      const session = await source.find(pid, offset).catch(() => undefined); // there is none, or Redis does not answer
      debug.recovery('namespace %s: a client returns; %s', nsp.name, session ? `the session of ${session.sid} was found` : NOT_FOUND);
      if (session && owners?.isOther(session, owner)) {
        debug.recovery('namespace %s: the session of %s has another owner, and its client is a new one', nsp.name, session.sid);
        source.giveBack(session);
        return createSocket(client, auth);
      }
      const socket = createSocket(client, auth, session);
      if (!session) {
        formerIds.set(socket, pid);
        return socket;
      }
      const rooms = withRoomsOfItsOwn(adapter);
      socketInternals(socket).adapter = rooms;
      void rooms.addAll(socket.id, new Set(session.rooms)); // with that of its user, which join() refuses
      if (former) formerSockets.set(socket, former);
      clients.hold(socket, session, broadcasts);
      newStarts.set(socket, assignId => {
        debug.recovery('namespace %s: the client of %s has come back as another user, and is a new one', nsp.name, socket.id);
        const left = clients.startAnew(socket, adapter, assignId);
        formerSockets.delete(socket);
        if (left) source.giveBack(left);
      });
      return socket;
    } finally {
      clients.endRestoring(broadcasts);
    }
  };

  /** Connects the socket of a client whose former sockets have ended, unless it has gone, or has to try again. */
  const connectAgain = (socket: Socket, session: Gone, taken: Taken | undefined, done?: (socket: Socket) => void): void => {
    const own = socketInternals(socket).adapter;
    const rooms = new Set(own.socketRooms(socket.id)); // with that of its user, which join() refuses
    if (taken) {
      followRooms(rooms, session.rooms, taken.rooms);
      followData(socket, session.data, taken.data);
    }
    const isGone = socket.conn.readyState !== 'open';
    if (isGone || !taken) {
      debug.recovery(
        'namespace %s: %s is not recovered: %s',
        nsp.name,
        socket.id,
        isGone ? 'it has gone' : 'its session has been taken, it tries again',
      );
      const held = clients.heldFor(socket);
      socket._cleanup();
      if (taken) source.giveBack({ ...session, rooms: [...rooms], data: socket.data as unknown }, unsentOf(taken, held));
      socket.conn.close(true);
      return;
    }
    debug.recovery('namespace %s: %s is recovered; events that it has missed: %d', nsp.name, socket.id, taken.offsets.size);
    takenFor.set(socket, taken);
    socketInternals(socket).adapter = adapter;
    void adapter.addAll(socket.id, rooms);
    formerSockets.delete(socket);
    doConnect(socket, done);
  };

  /** By client, the latest socket that is being created while a session is read. A later CONNECT of the client waits for it, and counts. */
  const creating = new WeakMap<Client, Promise<Socket>>();

  Object.assign(nsp, {
    async _createSocket(client: Client, auth: Record<string, unknown>): Promise<Socket> {
      const { pid, offset = '' } = auth; // a client that has received nothing has no offset
      const earlier = creating.get(client);
      const make = (isWanted: boolean, owner?: string): Socket | Promise<Socket> =>
        typeof pid === 'string' && typeof offset === 'string' && isWanted
          ? restoreSocket(client, auth, pid, offset, owner)
          : createSocket(client, auth);
      const create = owners ? owners.makerFor(client, auth, make) : make;
      /** A burst of CONNECTs, or one whose connection has gone, is not worth questions to the other servers. */
      const isWanted = (): boolean => creating.get(client) === created && client.conn.readyState === 'open';
      const created: Promise<Socket> = earlier ? earlier.then(() => create(isWanted())) : Promise.resolve(create(true));
      creating.set(client, created);
      try {
        return await created;
      } finally {
        if (creating.get(client) === created) creating.delete(client);
      }
    },

    /** The old connection of a client is closed only after all middleware: otherwise anybody with the private id could close it. */
    _doConnect(socket: Socket, done?: (socket: Socket) => void): void {
      const session = clients.sessionOf(socket);
      const taken = session && source.take(socket, session);
      owners?.join(socket);
      const formerId = formerIds.get(socket);
      if (formerId !== undefined) source.endGhost(formerId, holderOf(socket));
      if (!session) doConnect(socket, done);
      else if (taken instanceof Promise) taken.then(answer => connectAgain(socket, session, answer, done)).catch(onFailure(socket));
      else connectAgain(socket, session, taken, done);
    },
  });

  nsp.on('connect', socket => {
    const taken = takenFor.get(socket);
    takenFor.delete(socket);
    const { held } = clients.take(socket);
    const rest = taken ? held.filter(({ offset }) => !taken.offsets.has(offset)) : held;
    source.start(socket, [...(taken?.missed ?? []), ...rest.flatMap(missedOf)]); // before a listener of the app can emit
    taken?.send(socket);
    for (const { deliver } of rest) deliver(socket);
  });

  return { clients, source };
}
