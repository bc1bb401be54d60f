/** `emit()` of a socket, checked by the contract. */
import type { Socket } from 'socket.io';
import type { OutgoingCheck } from '../contract/outgoing';
import { socketInternals } from '../internals/socket-io';

/** Makes `emit()` throw for what the contract does not let the server emit. Broadcasts are checked by the adapter. */
export function checkEmits(socket: Socket, outgoing: OutgoingCheck): void {
  const emit = socket.emit.bind(socket);
  socket.emit = (event: string, ...args: unknown[]) => {
    try {
      outgoing.event([event, ...args]);
    } catch (error) {
      socketInternals(socket).flags = {}; // those of this emit, such as `volatile`: else the next one would have them
      throw error;
    }
    return emit(event, ...args);
  };
}
