/**
 * The connections that are not complete yet. Socket.IO lets a client connect to a namespace again while middleware still runs for it,
 * fires no event when such a client vanishes, and does not report middleware that never ends.
 */
import type { Socket } from 'socket.io';
import { namespacesOf } from '../internals/socket-io';
import { TimeLimit } from '../limits/time-limit';

/** One client that is connecting to one namespace. */
export interface Arrival {
  readonly namespace: { readonly name: string };
  readonly socket: Socket;
  /** Whether a newer one of the same client and namespace may replace it. Not possible once Socket.IO has been told to connect the socket. */
  readonly isReplaceable: boolean;
  /** Whether its middleware is running. */
  readonly isRunning: boolean;
  /** Whether it failed temporarily: its connection will be closed, and the client will try again. */
  readonly isPostponed: boolean;
  /** What the client is waiting for, and how to fix it. */
  readonly obstacle: { readonly problem: string; readonly remedy: string };
  /** Makes the client try again later. @param answered the error that it gets */
  postpone(error: Error, answered: Error): void;
  /** Called when the client has gone, or has asked for the same namespace again. */
  leave(): void;
}

/** The arrivals of one client. */
interface ClientArrivals {
  readonly byNamespace: Map<string, Arrival>;
  /** Replaced arrivals whose middleware is still running. */
  readonly replaced: Set<Arrival>;
  readonly onClose: () => void;
}

type Client = Socket['client'];

/** Time in ms after which running middleware is logged as slow. */
const SLOW_AFTER = 10_000;

/** The most replaced arrivals with running middleware that one client may have. */
const MAX_REPLACED = 5;

export class Arrivals {
  /** Time in ms before a postponed connection is closed. Random within this range, so that clients do not all come back at once. Tests shorten it. */
  readonly retryDelay = { least: 1000, most: 5000 };
  /** Those whose middleware is not slow yet. */
  readonly slow: TimeLimit<Arrival>;
  /** Those that still have time to complete. */
  readonly late: TimeLimit<Arrival>;
  readonly #byClient = new Map<Client, ClientArrivals>();

  /**
   * @param timeout the time in ms to complete
   * @param onSlow called once for each arrival whose middleware has been running for 10 s
   * @param onLate called once for each arrival that is not complete after `timeout`
   */
  constructor(timeout: number, onSlow: (arrival: Arrival, ms: number) => void, onLate: (arrival: Arrival, ms: number) => void) {
    this.slow = new TimeLimit(SLOW_AFTER, arrival => arrival.isPostponed || onSlow(arrival, this.slow.ms));
    this.late = new TimeLimit(timeout, arrival => arrival.isPostponed || onLate(arrival, this.late.ms));
  }

  /** Whether Socket.IO is connecting an earlier one of the same client and namespace: its answer is the answer to this one, too. */
  isAnswered({ socket: { client, nsp } }: Arrival): boolean {
    return this.#byClient.get(client)?.byNamespace.get(nsp.name)?.isReplaceable === false && !namespacesOf(client).has(nsp.name);
  }

  /** The number of namespaces that the client is connected or connecting to, with that of this arrival. */
  countNamespaces({ socket: { client, nsp } }: Arrival): number {
    const connected = namespacesOf(client);
    const connecting = this.#byClient.get(client)?.byNamespace;
    const isKnown = connected.has(nsp.name) || connecting?.has(nsp.name);
    return connected.size + (connecting?.size ?? 0) + (isKnown ? 0 : 1);
  }

  /** Adds an arrival, in place of an earlier one of the same client and namespace. Returns false if the caller has to close the connection instead. */
  add(arrival: Arrival): boolean {
    const { client, nsp } = arrival.socket;
    if (namespacesOf(client).has(nsp.name)) return false;
    const arrivals = this.#byClient.get(client) ?? this.#addClient(client);
    const { byNamespace, replaced } = arrivals;
    const earlier = byNamespace.get(nsp.name);
    if (earlier && (!earlier.isReplaceable || (earlier.isRunning && replaced.size === MAX_REPLACED))) return false;
    if (earlier?.isRunning) replaced.add(earlier);
    byNamespace.set(nsp.name, arrival); // before the earlier one leaves: a client without arrivals is deleted
    earlier?.leave();
    this.slow.add(arrival);
    this.late.add(arrival);
    return true;
  }

  /** Whether the client is connected to another namespace. */
  isInOtherNamespace({ socket }: Arrival): boolean {
    return [...namespacesOf(socket.client).keys()].some(name => isOther(name, socket));
  }

  /** Whether the client is connected or connecting to another namespace. */
  usesOtherNamespaces(arrival: Arrival): boolean {
    const { socket } = arrival;
    const others = [...(this.#byClient.get(socket.client)?.byNamespace ?? [])];
    return this.isInOtherNamespace(arrival) || others.some(([name, { isPostponed }]) => !isPostponed && isOther(name, socket));
  }

  /** To be called when the arrival is complete, or never will be. */
  delete(arrival: Arrival): void {
    this.slow.delete(arrival);
    this.late.delete(arrival);
    const { client, nsp } = arrival.socket;
    const arrivals = this.#byClient.get(client);
    if (arrivals?.byNamespace.get(nsp.name) !== arrival) return;
    arrivals.byNamespace.delete(nsp.name);
    this.#deleteIfEmpty(client, arrivals);
  }

  /** To be called when the middleware of the arrival has ended. */
  settle(arrival: Arrival): void {
    const { client } = arrival.socket;
    const arrivals = this.#byClient.get(client);
    if (arrivals?.replaced.delete(arrival)) this.#deleteIfEmpty(client, arrivals);
  }

  /** The number of arrivals. */
  get size(): number {
    return [...this.#byClient.values()].reduce((sum, { byNamespace }) => sum + byNamespace.size, 0);
  }

  /** To be called when the server closes: ends postponed connections at once. */
  close(): void {
    this.slow.close();
    this.late.close();
    for (const { byNamespace } of this.#byClient.values())
      for (const { isPostponed, socket } of byNamespace.values()) if (isPostponed) socket.conn.close();
  }

  #addClient(client: Client): ClientArrivals {
    const byNamespace = new Map<string, Arrival>();
    const onClose = (): void => {
      this.#byClient.delete(client);
      for (const arrival of byNamespace.values()) arrival.leave();
    };
    const arrivals = { byNamespace, replaced: new Set<Arrival>(), onClose };
    this.#byClient.set(client, arrivals);
    client.conn.once('close', onClose);
    return arrivals;
  }

  #deleteIfEmpty(client: Client, { byNamespace, replaced, onClose }: ClientArrivals): void {
    if (byNamespace.size > 0 || replaced.size > 0) return;
    this.#byClient.delete(client);
    client.conn.off('close', onClose);
  }
}

/** Whether the client itself asked for this namespace, in addition to the socket's own. Clients of protocol 3 are always in `/`. */
function isOther(name: string, { nsp, conn }: Socket): boolean {
  return name !== nsp.name && (name !== '/' || conn.protocol !== 3);
}
