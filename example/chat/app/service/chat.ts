import { Service } from 'egg';
import { IoError } from 'egg-socket.io';
import type { Message, Target, User } from '../../types';

/** The Socket.IO room of one person: whatever page they have open, and nobody else, gets what is sent there. */
export function roomOfUser(userId: string): string {
  return `user:${userId}`;
}

/** The Socket.IO room that a message goes to. */
function roomOf(to: Target): string {
  return 'room' in to ? `room:${to.room}` : roomOfUser(to.user);
}

/** What people can do in the chat, whether they ask by HTTP or by Socket.IO. */
export default class ChatService extends Service {
  get #memory() {
    return this.ctx.app.chatMemory;
  }

  get #everybody() {
    return this.ctx.app.io.of('/chat');
  }

  enter(): { me: User; rooms: string[]; online: User[] } {
    const { user: me, socket } = this.ctx;
    if (this.#memory.arrive(me, socket.id)) this.#everybody.emit('online', this.#memory.online);
    return { me, rooms: this.#memory.rooms, online: this.#memory.online };
  }

  exit(): void {
    const { user, socket } = this.ctx;
    if (!this.#memory.leave(user, socket.id)) return;
    this.#everybody.emit('online', this.#memory.online);
    this.#everybody.emit('gone', user);
  }

  /** Joins a room, or begins to talk with one person. Returns what has been said before. */
  async join(to: Target): Promise<Message[]> {
    const before = this.#memory.rooms.length;
    const history = this.#memory.history(this.ctx.user, to);
    if ('room' in to) await this.ctx.socket.join(roomOf(to));
    if (this.#memory.rooms.length !== before) this.#everybody.emit('rooms', this.#memory.rooms);
    return history;
  }

  say(to: Target, text: string): Message {
    const { user: me } = this.ctx;
    this.#checkThatReached(to);
    const message = this.#memory.keep(me, to, text);
    // the writer sees it as well, in all pages that are open; who is in both rooms gets it once
    this.#everybody.to('room' in to ? roomOf(to) : [roomOf(to), roomOfUser(me.id)]).emit('message', message);
    return message;
  }

  typing(to: Target): void {
    const { user, socket } = this.ctx;
    this.#checkThatReached(to);
    socket.to(roomOf(to)).emit('typing', user, to);
  }

  announce(text: string): void {
    this.#everybody.emit('announcement', { from: this.ctx.user, text, at: Date.now() });
  }

  isTaken(name: string): boolean {
    return this.#memory.online.some(user => user.name === name);
  }

  /** A connection keeps the session that it came with: it has to end when that session does. */
  closeConnectionsOf(user: User): void {
    this.#everybody.in(roomOfUser(user.id)).disconnectSockets();
  }

  #checkThatReached(to: Target): void {
    if ('room' in to && !this.ctx.socket.rooms.has(roomOf(to)))
      throw new IoError('NOT_IN_ROOM', `Join ${to.room} before you write there`, { status: 403 });
    if ('user' in to && !this.#memory.isOnline(to.user)) throw new IoError('OFFLINE', 'This person has gone offline', { status: 404 });
  }
}
