/** What travels between the page and the server, and what this app adds to Egg. */
import type ChatHelper from './app/extend/helper';
import type { MemoryLink } from './app/memory-link';

export interface User {
  id: string;
  name: string;
}

/** Whom a message is for: everybody in a room, or one person. */
export type Target = { room: string } | { user: string };

export interface Message {
  id: number;
  from: User;
  to: Target;
  text: string;
  /** In milliseconds, as of Date.now() */
  at: number;
}

/** What every page shows. */
export interface News {
  rooms: string[];
  online: User[];
  /** Those who have gone offline just now. */
  gone: User[];
}

declare module 'egg-socket.io' {
  /** The types of `ctx.args`, by namespace and event. */
  interface ClientEvents {
    '/chat': {
      enter: () => void;
      join: (to: Target) => void;
      say: (to: Target, text: string) => void;
      typing: (to: Target) => void;
      disconnect: (reason: string) => void;
    };
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
