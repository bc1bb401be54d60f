/** Connects the presence of this process with that of the other workers and servers: by an event of the namespace `/`, which every adapter carries. */
import { randomBytes } from 'node:crypto';
import type { Namespace as SocketIoNamespace, Server as SocketIoServer } from 'socket.io';
import type { Backplane } from '../backplane/backplane';
import { HubBackplane } from '../cluster/hub/hub-backplane';
import { ownWorkerId } from '../cluster/topology';
import type { Settings } from '../config/settings';
import type { Contract } from '../contract/contract';
import { SetupError } from '../errors';
import { emitToServers, receiveFromServers } from '../internals/server-events';
import { type Namespace, namespaceOf } from '../path/namespace';
import type { Link } from '../presence/announcer';
import type { PresenceChange } from '../presence/changes';
import { PRESENCE_EVENT } from '../presence/messages';
import { Presences } from '../presence/presences';
import { Replication } from '../presence/replication';
import { toError } from '../thrown';

export function createPresences(namespaces: Settings['namespaces'], server: SocketIoServer): Presences {
  return new Presences({
    namespaces,
    // what the hub calls this process, and what no other one has
    self: { id: `${ownWorkerId()}:${randomBytes(8).toString('base64url')}` },
    tell(name, change) {
      const nsp = server._nsps.get(name);
      const namespace = nsp && namespaceOf(nsp);
      if (namespace) tellClients(namespace, change);
    },
  });
}

/**
 * To be called when the backplane is ready.
 * @param main the namespace `/`
 * @param backplane undefined with an adapter of the app's own
 * @param onFailure called if a message could not be sent. What the others miss, they ask for later.
 */
export function joinPresence(
  presences: Presences | undefined,
  main: SocketIoNamespace,
  backplane: Backplane | undefined,
  onFailure: (thrown: unknown) => void,
): void {
  if (!presences?.isUsed) return;
  const hub = backplane instanceof HubBackplane ? backplane : undefined;
  const link: Link = {
    get isDown() {
      return backplane?.isDown === true;
    },
    get workers() {
      return hub && new Set(hub.peers.names);
    },
    send: text => emitToServers(main.adapter, [PRESENCE_EVENT, text], onFailure),
  };
  const replication = new Replication(presences.self, presences, link);
  receiveFromServers(main, PRESENCE_EVENT, text => {
    if (!replication.receive(text)) backplane?.inbox.drop(PRESENCE_EVENT);
  });
  if (hub) hub.peers.onLeft = name => replication.forgetWorker(name);
  presences.replication = replication;
  backplane?.onReachable(() => replication.start());
  replication.start();
}

/** Emits a change to the clients of this process in a room. Errors are logged: nobody else waits. */
function tellClients({ nsp, kind, runtime }: Namespace, change: PresenceChange): void {
  try {
    nsp.local.to(change.room).emit('presence', change);
  } catch (thrown) {
    const what = 'emitting the event `presence` failed';
    runtime.failures.log({ level: 'error', what, namespace: kind, child: nsp.name, socket: undefined, error: toError(thrown) });
  }
}

/** @throws SetupError if the contract of a namespace with presence lacks its event */
export function requirePresenceEvent(presences: Presences | undefined, { namespace, server = {} }: Contract): void {
  if (!presences?.isConfigured(namespace) || Object.hasOwn(server, 'presence')) return;
  const problem = `the contract of '${namespace}' must have the event 'presence' in server, since config.io.namespace['${namespace}'].presence is set`;
  throw new SetupError('IO_CONTRACT_INVALID', problem);
}
