/** What `@types/node` 26 says in addition, in a project that has 20: `Socket` of Socket.IO has a private member of that name. */
import type { Server } from 'node:net';

declare module 'net' {
  interface Socket {
    readonly server: Server | null;
  }
}
