/** Puts an intake in front of Socket.IO for each connection of an engine. */
import type { Server as EngineServer, Socket as EngineSocket } from 'engine.io';
import { isAwaitedPong } from '../internals/engine-connection';
import { webSocketOf } from '../internals/engine-io';
import { WebSocket } from '../internals/ws';
import { Intake } from './intake';
import type { IntakeOptions } from './intake-options';

const INTAKE = Symbol('intake');
/** Socket.IO's own listener. */
const LEAVE = Symbol('leave');

type Listener = (...args: unknown[]) => void;
type LimitedConnection = EngineSocket & { [INTAKE]: Intake; [LEAVE]: Listener };
type LimitedWebSocket = InstanceType<typeof WebSocket> & { [INTAKE]: Intake };

/** Undefined without limits of what clients send. */
export function intakeOf(connection: EngineSocket): Intake | undefined {
  return (connection as { [INTAKE]?: Intake })[INTAKE];
}

/** To be called when Socket.IO listens to the connections of an engine. */
export function limitIntake(engine: EngineServer, options: IntakeOptions): void {
  const { events, pending } = options.limits.settings;
  if (!events && !pending) return;
  let hasWarned = false;
  engine.on('connection', (connection: EngineSocket) => {
    if (openIntake(connection, options) || hasWarned) return;
    hasWarned = true;
    options.warn(
      '[egg-socket.io] something else listens to the messages of connections: config.io.limits.events and pending do not hold for them',
    );
  });
}

/** Replaces the listeners of Socket.IO. All connections share the functions. Returns whether it found them. */
function openIntake(connection: EngineSocket, options: IntakeOptions): boolean {
  const [deliver, ...others] = connection.listeners('data') as Listener[]; // typed as any function
  const leave = connection.listeners('close').at(-1) as Listener | undefined; // the same
  if (!deliver || others.length > 0 || !leave) return false;
  const limited: LimitedConnection = Object.assign(connection, { [INTAKE]: new Intake(connection, deliver, options), [LEAVE]: leave });
  connection.off('data', deliver).off('close', leave);
  connection.on('data', onData).on('close', onClose).on('packet', onPacket).on('upgrade', countPings);
  countPings.call(limited);
  return true;
}

function onData(this: LimitedConnection, data: unknown): void {
  this[INTAKE].receive(data);
}

function onClose(this: LimitedConnection, ...reason: unknown[]): void {
  this[INTAKE].close(() => this[LEAVE](...reason));
}

function onPacket(this: LimitedConnection, { type }: { type: string }): void {
  if (type !== 'message' && !(type === 'pong' && isAwaitedPong(this))) this[INTAKE].count();
}

/** Also the pings of a WebSocket itself, which is answered without Engine.IO. */
function countPings(this: LimitedConnection): void {
  const webSocket = webSocketOf(this);
  if (!(webSocket instanceof WebSocket)) return;
  Object.assign(webSocket, { [INTAKE]: this[INTAKE] });
  webSocket.on('ping', onPing);
}

function onPing(this: InstanceType<typeof WebSocket>): void {
  (this as LimitedWebSocket)[INTAKE].count(); // it got the field with this listener
}
