/** What an app declares, once. */
import 'egg';
import 'egg-socket.io';
import type { Reply } from 'egg-socket.io/contract';

export interface FromClients {
  say: (text: string, to: { room: string }, answer: (result: { delivered: boolean }) => void) => void;
  note: (text: string, urgent?: boolean) => void;
  ask: (question: string, answer: (reply: Reply<number>) => void) => void;
  maybe: (text: string, answer?: (count: number) => void) => void;
  both: (text: string, answer: (error: string | null, count?: number) => void) => void;
  done: (answer: () => void) => void;
  get: (id: number, answer: (found: { ok: true; text: string } | { ok: false; reason: string }) => void) => void;
  anything: (value: any) => void;
}

export interface FromServer {
  said: (name: string, text: string) => void;
  left: () => void;
  sure: (question: string, answer: (yes: boolean) => void) => void;
}

declare module 'egg-socket.io' {
  interface ClientEvents {
    '/chat': FromClients;
    '/quiet': { hush: () => void };
    '/room-{id}': { enter: (answer: (members: number) => void) => void };
  }

  interface ServerEvents {
    '/chat': FromServer;
    '/': { news: (text: string) => void };
    '/room-{id}': { entered: (name: string) => void };
  }

  interface SocketData {
    name: string;
  }

  interface PresenceMeta {
    name: string;
    status?: 'here' | 'away';
  }
}

declare module 'egg' {
  interface Context {
    session: { user?: { name: string } };
    visitor: { id: number };
  }
}
