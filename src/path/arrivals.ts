/**
 * The connections that are not complete yet. Socket.IO lets a client connect to a namespace again while its middleware runs,
 * tells nobody when a client vanishes meanwhile, and says nothing of middleware that never ends.
 */
import type { Socket } from 'socket.io';
import { namespacesOf } from '../internals/socket-io';

/** One client that is connecting to one namespace. */
export interface Arrival {
  readonly namespace: { readonly name: string };
  readonly socket: Socket;
  /** Whether a newer one of the same client and namespace may take its place: not any more when Socket.IO has been told to connect it. */
  readonly isReplaceable: boolean;
  /** Whether its middleware runs. */
  readonly isRunning: boolean;
  /** Whether it failed for now, and its connection is to be closed. */
  readonly isPutOff: boolean;
  /** What the client waits for, and what to do about it. */
  readonly obstacle: { readonly problem: string; readonly remedy: string };
  /** The client is not there any more, or waits for a newer one. */
  leave(): void;
}

/** How many arrivals of a client may have been replaced and have middleware that still runs. */
const MAX_REPLACED = 5;

/** The arrivals of one client. */
interface Arriving {
  readonly byNamespace: Map<string, Arrival>;
  /** Those that have been replaced, as long as their middleware runs. */
  readonly replaced: Set<Arrival>;
  readonly onClose: () => void;
}

type Client = Socket['client'];

export class Arrivals {
  /** How long a client that could not be let in for now is kept, in ms: a random time, so that not all come back at once. Tests shorten it. */
  readonly retryDelay = { least: 1000, most: 5000 };
  /** How long middleware may run, in ms, until the log says so. Tests shorten it. */
  slowAfter = 10_000;
  readonly #byClient = new Map<Client, Arriving>();
  /** In the order in which they came. */
  readonly #running = new Map<Arrival, number>();
  /** One for all of them: set while there are any. */
  #timer: NodeJS.Timeout | undefined;
  readonly #onSlow: (arrival: Arrival, ms: number) => void;

  /** @param onSlow called once for each whose middleware has been running for `slowAfter` ms */
  constructor(onSlow: (arrival: Arrival, ms: number) => void) {
    this.#onSlow = onSlow;
  }

  /** An earlier one of this client and namespace leaves. False if that cannot be: the connection is to be closed. */
  add(arrival: Arrival): boolean {
    const { client, nsp } = arrival.socket;
    if (namespacesOf(client).has(nsp.name)) return false;
    const arriving = this.#byClient.get(client) ?? this.#of(client);
    const { byNamespace, replaced } = arriving;
    const earlier = byNamespace.get(nsp.name);
    if (earlier && (!earlier.isReplaceable || replaced.size === MAX_REPLACED)) return false;
    if (earlier?.isRunning) replaced.add(earlier);
    byNamespace.set(nsp.name, arrival); // before the other one leaves: a client without arrivals is forgotten
    earlier?.leave();
    this.#running.set(arrival, performance.now());
    this.#timer ??= this.#lookIn(this.slowAfter);
    return true;
  }

  /** Whether the client is connected to another namespace. */
  hasOpen({ socket }: Arrival): boolean {
    return [...namespacesOf(socket.client).keys()].some(name => isOther(name, socket));
  }

  /** Whether the client is connected to another namespace, or on the way to it. */
  hasOthers(arrival: Arrival): boolean {
    const { socket } = arrival;
    const others = [...(this.#byClient.get(socket.client)?.byNamespace ?? [])];
    return this.hasOpen(arrival) || others.some(([name, { isPutOff }]) => !isPutOff && isOther(name, socket));
  }

  /** It is complete, or will never be. */
  delete(arrival: Arrival): void {
    this.#running.delete(arrival);
    const { client, nsp } = arrival.socket;
    const arriving = this.#byClient.get(client);
    if (arriving?.byNamespace.get(nsp.name) !== arrival) return;
    arriving.byNamespace.delete(nsp.name);
    this.#drop(client, arriving);
  }

  /** Its middleware has ended. */
  settle(arrival: Arrival): void {
    const { client } = arrival.socket;
    const arriving = this.#byClient.get(client);
    if (arriving?.replaced.delete(arrival)) this.#drop(client, arriving);
  }

  /** How many there are. */
  get size(): number {
    return [...this.#byClient.values()].reduce((sum, { byNamespace }) => sum + byNamespace.size, 0);
  }

  /** The server closes: nobody is kept any longer. */
  close(): void {
    clearTimeout(this.#timer); // and is not set again
    for (const { byNamespace } of this.#byClient.values())
      for (const { isPutOff, socket } of byNamespace.values()) if (isPutOff) socket.conn.close();
  }

  /** Looks for those that are slow. */
  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [arrival, since] of this.#running) {
      const left = since + this.slowAfter - now;
      if (left > 0) {
        this.#timer = this.#lookIn(left);
        return;
      }
      this.#running.delete(arrival);
      if (!arrival.isPutOff) this.#onSlow(arrival, this.slowAfter);
    }
  }

  #lookIn(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), Math.ceil(ms)).unref();
  }

  #of(client: Client): Arriving {
    const byNamespace = new Map<string, Arrival>();
    const onClose = (): void => {
      this.#byClient.delete(client);
      for (const arrival of byNamespace.values()) arrival.leave();
    };
    const arriving = { byNamespace, replaced: new Set<Arrival>(), onClose };
    this.#byClient.set(client, arriving);
    client.conn.once('close', onClose);
    return arriving;
  }

  #drop(client: Client, { byNamespace, replaced, onClose }: Arriving): void {
    if (byNamespace.size > 0 || replaced.size > 0) return;
    this.#byClient.delete(client);
    client.conn.off('close', onClose);
  }
}

/** Whether a client has asked for this namespace beside the socket's own: one of protocol 3 is in `/` by itself. */
function isOther(name: string, { nsp, conn }: Socket): boolean {
  return name !== nsp.name && (name !== '/' || conn.protocol !== 3);
}
