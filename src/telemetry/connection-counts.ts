/** Counts connections, what they end with, and what goes over them. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import type { Socket } from 'socket.io';
import { type EngineError, engineInternals } from '../internals/engine-io';
import { countTraffic, type Traffic, trafficOf } from '../limits/traffic';
import { codeOfRefused, type ConnectionWatch, type Watched } from '../path/watch';
import type { Reading } from './names';
import { Tally, Words } from './tally';

type Sums = Pick<Traffic, 'packetsIn' | 'packetsOut' | 'bytesIn' | 'bytesOut'>;

export class ConnectionCounts implements ConnectionWatch {
  readonly #codes = new Words();
  readonly #reasons = new Words();
  readonly #refusals = new Tally();
  readonly #disconnects = new Tally();
  readonly #engines: EngineServer[] = [];
  /** Of connections that add theirs to `#closed` at their end. */
  readonly #counted = new WeakSet<Traffic>();
  /** Of connections that have been closed. */
  readonly #closed: Sums = { packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
  /** The codes of clients that are being refused. */
  readonly #refused = new WeakMap<Socket, string>();
  #handshakes = 0;

  attach(engine: EngineServer): void {
    this.#engines.push(engine);
    engine.on('connection', () => this.#handshakes++);
    engine.on('connection_error', (error: EngineError) => this.#refusals.add({ 'error.type': this.#codes.bound(codeOfRefused(error)) }));
  }

  begin({ client }: Socket): void {
    const traffic = countTraffic(client);
    if (this.#counted.has(traffic)) return; // in another namespace
    this.#counted.add(traffic);
    client.conn.once('close', () => add(this.#closed, traffic)); // never fires if it has come and gone in one request
  }

  forget(): void {
    // nothing is counted before the end
  }

  refuse(socket: Socket, code: string): void {
    if (!this.#refused.has(socket)) this.#refused.set(socket, this.#codes.bound(code));
  }

  end({ socket, namespace: { kind } }: Watched, reason: string | undefined): void {
    const code = this.#refused.get(socket);
    if (reason !== undefined) this.#disconnects.add({ 'socketio.namespace': kind, 'socketio.reason': this.#reasons.bound(reason) });
    else if (code !== undefined) this.#refusals.add({ 'socketio.namespace': kind, 'error.type': code });
    this.#refused.delete(socket);
  }

  read(): Reading {
    const sums = { ...this.#closed };
    const byTransport: Record<string, number> = { polling: 0, websocket: 0 };
    for (const connection of this.#connections()) {
      const { name } = connection.transport as { readonly name: string }; // declared as any
      byTransport[name] = (byTransport[name] ?? 0) + 1;
      const traffic = trafficOf(connection);
      if (traffic) add(sums, traffic);
    }
    const received = { 'network.io.direction': 'receive' };
    const transmitted = { 'network.io.direction': 'transmit' };
    return {
      'socketio.server.active_connections': Object.entries(byTransport).map(([name, value]) => ({
        attributes: { 'socketio.transport': name },
        value,
      })),
      'socketio.server.handshakes': [{ attributes: {}, value: this.#handshakes }],
      'socketio.server.refusals': this.#refusals.points,
      'socketio.server.disconnects': this.#disconnects.points,
      'socketio.server.packets': [
        { attributes: received, value: sums.packetsIn },
        { attributes: transmitted, value: sums.packetsOut },
      ],
      'socketio.server.io': [
        { attributes: received, value: sums.bytesIn },
        { attributes: transmitted, value: sums.bytesOut },
      ],
    };
  }

  *#connections(): Iterable<EngineSocket> {
    for (const engine of this.#engines) yield* Object.values(engineInternals(engine).clients ?? {}); // undefined before the engine is open
  }
}

function add(to: Sums, traffic: Sums): void {
  to.packetsIn += traffic.packetsIn;
  to.packetsOut += traffic.packetsOut;
  to.bytesIn += traffic.bytesIn;
  to.bytesOut += traffic.bytesOut;
}
