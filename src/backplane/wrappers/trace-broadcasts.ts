/** Spans of broadcasts: one where a broadcast is emitted, and one in each other process whose clients get it. */
import type { Namespace } from 'socket.io';
import type { Adapter, BroadcastOptions } from 'socket.io-adapter';
import { recoveryInternals } from '../../internals/adapters';
import type { Event } from '../packet-codec';

type Broadcast = (packet: Event, opts: BroadcastOptions, ...callbacks: unknown[]) => unknown;

/** Makes the spans. */
export interface BroadcastTracer {
  /** Emits within a span. @param emit gets what other processes need for theirs: nothing without an SDK */
  send(nsp: Namespace, event: unknown, rooms: ReadonlySet<string>, emit: (carried: string | undefined) => unknown): unknown;
  /**
   * Delivers to clients of this process, within a span if another process has emitted this.
   * @param carried of any type: it may come from a backend @param deliver returns the number of clients
   */
  deliver(nsp: Namespace, carried: unknown, deliver: () => number): void;
}

/** The flag of a broadcast in which all adapters carry a span to other processes. Socket.IO ignores it. */
const FLAG = '$io:span';

export function traceBroadcasts(adapter: Adapter, nsp: Namespace, tracer: BroadcastTracer): void {
  const broadcast = adapter.broadcast.bind(adapter) as Broadcast;
  const broadcastWithAck = adapter.broadcastWithAck.bind(adapter) as Broadcast;
  Object.assign(adapter, {
    broadcast: (packet: Event, opts: BroadcastOptions): unknown =>
      tracer.send(nsp, packet.data[0], opts.rooms, carried => broadcast(packet, carrying(opts, carried))),
    // with its own flags, by which `endInOutage` knows it again: it has no spans in other processes
    broadcastWithAck: (packet: Event, opts: BroadcastOptions, ...callbacks: unknown[]): unknown =>
      tracer.send(nsp, packet.data[0], opts.rooms, () => broadcastWithAck(packet, opts, ...callbacks)),
  });
}

function carrying(opts: BroadcastOptions, carried: string | undefined): BroadcastOptions {
  if (carried === undefined) return opts;
  const flags = { ...opts.flags, [FLAG]: carried };
  return { ...opts, flags };
}

export function traceDeliveries(adapter: Adapter, nsp: Namespace, tracer: BroadcastTracer): void {
  const apply = recoveryInternals(adapter).apply.bind(adapter);
  Object.assign(adapter, {
    apply(opts: BroadcastOptions, deliver: Parameters<typeof apply>[1]): void {
      const carried: unknown = Reflect.get(opts.flags ?? {}, FLAG);
      if (carried === undefined) {
        apply(opts, deliver);
        return;
      }
      tracer.deliver(nsp, carried, () => {
        let clients = 0;
        apply(opts, socket => {
          clients++;
          deliver(socket);
        });
        return clients;
      });
    },
  });
}
