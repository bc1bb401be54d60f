/** The check of what only connections have: at the boot there is none yet. */
import type { Server as EngineServer, Socket as EngineSocket, Transport } from 'engine.io';
import { ENGINE_LIMITS, ENGINE_SOCKET, ENGINE_TRANSPORT, HEARTBEAT } from './engine-io';
import { checkInternals, type Specimens } from './members';
import { ENGINE_POLLING } from './transports';

/** Checks the first connection with its transport, and its WebSocket as soon as it has one. */
export function checkFirstConnection(engine: EngineServer, warn: (line: string) => void): void {
  engine.once('connection', (connection: EngineSocket) => {
    checkInternals(
      [[ENGINE_SOCKET, connection], [HEARTBEAT, connection], [ENGINE_LIMITS, connection], ...specimenOf(connection.transport)],
      warn,
    );
    connection.once('upgrade', (transport: Transport) => checkInternals(specimenOf(transport), warn));
  });
}

function specimenOf(transport: Transport): Specimens {
  if (transport.name === 'polling') return [[ENGINE_POLLING, transport]];
  return transport.name === 'websocket' ? [[ENGINE_TRANSPORT, transport]] : [];
}
