/** What this app adds to Egg and to egg-socket.io. */
import type { IoController } from 'egg-socket.io';
import type ChatHelper from './app/extend/helper';
import type ChatController from './app/io/controller/chat';
import type { MemoryLink } from './app/memory-link';
import type { User } from './contract';

declare module 'egg-socket.io' {
  /** Lets the compiler check that the routes fit the contract. */
  interface IoControllers {
    chat: IoController<typeof ChatController>;
  }

  /** What `socket.user` has beside the id. */
  interface SocketUser {
    name: string;
  }

  /** What the others may know of who is online. */
  interface PresenceMeta {
    name: string;
  }
}

type Helpers = typeof ChatHelper;

declare module 'egg' {
  interface Application {
    chatMemory: MemoryLink;
  }
  interface Context {
    get session(): { user?: User };
    set session(session: null); // logs out
    user: User;
  }
  interface Helper extends Helpers {}
}
