/** What a server still holds of its clients: nothing may be left of those that have gone. */
import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Server } from 'egg-socket.io';
import type { Namespace } from 'socket.io';
import { lifecycleOf } from './parts';

type Internals = NonNullable<ReturnType<typeof lifecycleOf>>;

/** A connection of Engine.IO, on the server's side. */
export type EngineConnection = EventEmitter & { readonly id: string; readonly transport: { readonly writable: boolean } };

export const NOTHING = {
  arrivals: 0,
  ids: 0,
  inFlight: 0,
  attachments: 0,
  preConnectSockets: 0,
  sockets: 0,
  sids: 0,
  rooms: 0,
  connections: 0,
};

/** What the plugin keeps from its users: the one way of tests to it. */
export function internals(io: Server): Internals {
  const lifecycle = lifecycleOf(io);
  assert.ok(lifecycle, 'not a server of this plugin');
  return lifecycle;
}

/** The connections of the engine, the newest last. */
export function engineConnections(io: Server): EngineConnection[] {
  return Object.values(Reflect.get(io.engine, 'clients') as Record<string, EngineConnection>); // protected
}

/** Entries in Socket.IO's tables and in the plugin's, of all namespaces. */
export function remains(io: Server): typeof NOTHING {
  const sum = (count: (nsp: Namespace) => number): number => [...io._nsps.values()].reduce((total, nsp) => total + count(nsp), 0);
  const {
    ids,
    runtime: { arrivals, inFlight, limits },
  } = internals(io);
  return {
    arrivals: arrivals.size,
    ids: ids.size,
    inFlight: inFlight.size,
    attachments: limits.attachments.size,
    preConnectSockets: sum(nsp => (Reflect.get(nsp, '_preConnectSockets') as Map<string, unknown>).size), // private
    sockets: sum(nsp => nsp.sockets.size),
    sids: sum(nsp => nsp.adapter.sids.size),
    rooms: sum(nsp => nsp.adapter.rooms.size),
    connections: io.engine.clientsCount,
  };
}

/** Waits until the engine has seen all connections end, and for all handlers; then nothing may be left. */
export async function nothingRemains(io: Server): Promise<void> {
  await Promise.all(engineConnections(io).map(connection => new Promise<void>(resolve => connection.once('close', () => resolve()))));
  await internals(io).runtime.inFlight.idle();
  await nextTurn(); // Socket.IO drops a refused socket in the next tick
  assert.deepEqual(remains(io), NOTHING);
}

/** Fails the test at its end if a promise was rejected unheard or an exception not caught. */
export function watchForCrashes(t: TestContext): void {
  const crashes: unknown[] = [];
  const onCrash = (reason: unknown): void => void crashes.push(reason);
  process.on('unhandledRejection', onCrash);
  process.on('uncaughtException', onCrash);
  t.after(() => {
    process.off('unhandledRejection', onCrash);
    process.off('uncaughtException', onCrash);
    assert.deepEqual(crashes, []);
  });
}
