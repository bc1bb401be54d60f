/** Emits to one socket, whose events go through its adapter to be logged, but no further. */
import type { Socket } from 'socket.io';
import { namespaceInternals, socketInternals } from '../../internals/socket-io';

/** `emit()` of a socket. While that is here, no other server needs to know. When it has ended, its client may be at another one. */
export const EMIT_HERE = {
  emit(this: Socket, ...args: Parameters<Socket['emit']>): boolean {
    if (this.connected || namespaceInternals(this.nsp)._preConnectSockets.get(this.id) === this) {
      socketInternals(this).flags.local = true;
    }
    const { emit } = Object.getPrototypeOf(this) as Socket;
    return emit.apply(this, args);
  },
};
