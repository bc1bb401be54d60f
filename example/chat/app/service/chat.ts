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

  /** A connection begins. */
  arrive(): void {
    const { user, socket } = this.ctx;
    if (this.#memory.arrive(user, socket.id)) this.#everybody.emit('online', this.#memory.online);
  }

  /** A connection has ended. */
  leave(): void {
    const { user, socket } = this.ctx;
    if (this.#memory.leave(user, socket.id)) this.#tellThatGone(user);
  }

  /** A connection keeps the session that it came with: it has to end when that session does. */
  logOut(user: User): void {
    this.#everybody.in(roomOfUser(user.id)).disconnectSockets();
    if (this.#memory.forget(user)) this.#tellThatGone(user);
  }

  enter(): { me: User; rooms: string[]; online: User[] } {
    const { rooms, online } = this.#memory;
    return { me: this.ctx.user, rooms, online };
  }

  /** Joins a room, or begins to talk with one person. Returns what has been said before. */
  async join(to: Target): Promise<readonly Message[]> {
    const { user: me, socket } = this.ctx;
    if ('room' in to) {
      if (this.#memory.openRoom(to.room)) this.#everybody.emit('rooms', this.#memory.rooms);
      await socket.join(roomOf(to));
    }
    const history = this.#memory.history(me, to);
    if ('user' in to && history.length === 0 && !this.#memory.isKnown(to.user)) {
      throw new IoError('NO_SUCH_USER', 'There is no such person here', { status: 404 });
    }
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

  #tellThatGone(user: User): void {
    this.#everybody.emit('online', this.#memory.online);
    this.#everybody.emit('gone', user);
  }

  #checkThatReached(to: Target): void {
    if ('room' in to && !this.ctx.socket.rooms.has(roomOf(to)))
      throw new IoError('NOT_IN_ROOM', `Join ${to.room} before you write there`, { status: 403 });
    if ('user' in to && !this.#memory.isOnline(to.user)) throw new IoError('OFFLINE', 'This person has gone offline', { status: 404 });
  }
}
