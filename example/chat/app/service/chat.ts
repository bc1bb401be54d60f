import { Service } from 'egg';
import { IoError } from 'egg-socket.io';
import { chat, type Message, type Target, type User } from '../../contract';

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
    return this.ctx.app.io.of(chat);
  }

  /** A connection begins. */
  async arrive(): Promise<void> {
    const { user, socket } = this.ctx;
    await this.#memory.ask('arrive', user, socket.id, process.pid);
  }

  /** A connection has ended. Nobody waits: an agent that does not answer has forgotten everybody, or is going to. */
  leave(): void {
    const { user, socket, logger } = this.ctx;
    this.#memory.ask('leave', user, socket.id).catch((error: unknown) => logger.warn(error));
  }

  /** A connection keeps the session that it came with, in all its namespaces: it has to end, too, when that session does. */
  async logOut(user: User): Promise<void> {
    this.#everybody.in(roomOfUser(user.id)).disconnectSockets(true);
    await this.#memory.ask('forget', user);
  }

  /** Joins a room, or begins to talk with one person. Returns what has been said before. */
  async join(to: Target): Promise<Message[]> {
    const { user: me, socket } = this.ctx;
    if ('room' in to) {
      await this.#memory.ask('openRoom', to.room);
      await socket.join(roomOf(to));
    }
    const history = await this.#memory.ask('history', me, to);
    if ('user' in to && history.length === 0 && !(await this.#memory.ask('isKnown', to.user))) {
      throw new IoError('NO_SUCH_USER', 'There is no such person here', { status: 404 });
    }
    return history;
  }

  async say(to: Target, text: string): Promise<Message> {
    const { user: me } = this.ctx;
    await this.#checkThatReached(to);
    const message = await this.#memory.ask('keep', me, to, text);
    // the writer sees it as well, in all pages that are open; who is in both rooms gets it once
    this.#everybody.to('room' in to ? roomOf(to) : [roomOf(to), roomOfUser(me.id)]).emit('message', message);
    return message;
  }

  async typing(to: Target): Promise<void> {
    const { user, socket } = this.ctx;
    await this.#checkThatReached(to);
    this.#everybody.to(roomOf(to)).except(socket.id).emit('typing', user, to);
  }

  announce(text: string): void {
    this.#everybody.emit('announcement', { from: this.ctx.user, text, at: Date.now() });
  }

  async #checkThatReached(to: Target): Promise<void> {
    if ('room' in to) {
      if (this.ctx.socket.rooms.has(roomOf(to))) return;
      throw new IoError('NOT_IN_ROOM', `Join ${to.room} before you write there`, { status: 403 });
    }
    if (!(await this.#memory.ask('isOnline', to.user))) throw new IoError('OFFLINE', 'This person has gone offline', { status: 404 });
  }
}
