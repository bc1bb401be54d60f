import { randomUUID } from 'node:crypto';
import { Service } from 'egg';
import { IoError } from 'egg-socket.io';
import { chat, type Message, type Present, type Target, type User } from '../../contract';

/** The Socket.IO room that everybody is in. */
export const ONLINE = 'online';
/** How much of what has been said before is shown to who opens a room. */
const MESSAGES_SHOWN = 50;

/** The Socket.IO room of a room of the chat. */
function roomOf({ room }: { room: string }): string {
  return `room:${room}`;
}

/** What people can do in the chat, whether they ask by HTTP or by Socket.IO. */
export default class ChatService extends Service {
  get #memory() {
    return this.ctx.app.chatMemory;
  }

  get #everybody() {
    return this.ctx.app.io.of(chat);
  }

  get #presence() {
    return this.#everybody.presence(ONLINE);
  }

  /** Rejects if the name is somebody else's. */
  async claim(user: User): Promise<void> {
    const online = this.#presence.list().map(({ id }) => id);
    await this.#memory.ask('claim', user, online);
  }

  /** A connection begins. */
  async arrive(): Promise<void> {
    const { user, socket } = this.ctx;
    socket.user = user; // first of all: from now on the connection is this user's
    await this.claim(user);
    await socket.join(ONLINE);
  }

  /** A page wants to know who is online: whoever has a page open, or had one a moment ago. The others get the name of this one. */
  enter(): Present[] {
    const { user, socket } = this.ctx;
    this.#presence.set(socket, { name: user.name }); // now that it is connected
    return this.#presence.list();
  }

  /** A connection has ended. Nobody waits: an agent that does not answer has forgotten everybody, or is going to. */
  leave(): void {
    const { user, logger } = this.ctx;
    this.#memory.ask('leave', user.id).catch((error: unknown) => logger.warn(error));
  }

  /** A connection keeps the session that it came with, in all its namespaces: it has to end, too, when that session does. */
  async logOut(user: User): Promise<void> {
    this.#everybody.user(user.id).disconnect(true);
    await this.#memory.ask('forget', user.id);
  }

  /** Joins a room, or begins to talk with one person. Returns what has been said before. */
  async join(to: Target): Promise<Message[]> {
    const { user: me, socket } = this.ctx;
    if ('user' in to) {
      const said = await this.#memory.ask('conversation', me.id, to.user);
      if (said.length > 0 || (await this.#memory.ask('isKnown', to.user))) return said;
      throw new IoError('NO_SUCH_USER', 'There is no such person here', { status: 404 });
    }
    await this.#memory.ask('openRoom', to.room);
    await socket.join(roomOf(to));
    const { events } = await this.#everybody.history(roomOf(to)).read({ last: MESSAGES_SHOWN });
    return events.flatMap(({ event, args }) => (event === 'message' ? args : []));
  }

  async say(to: Target, text: string): Promise<Message> {
    const { user: from } = this.ctx;
    this.#checkThatReached(to);
    const message = { id: randomUUID(), from, to, text, at: Date.now() };
    if ('room' in to) {
      await this.#memory.ask('openRoom', to.room); // people may be in a room from before the agent was started anew
      this.#everybody.to(roomOf(to)).emit('message', message);
    } else {
      await this.#memory.ask('keep', from.id, to.user, message);
      // the writer sees it as well, in all pages that are open
      for (const id of new Set([to.user, from.id])) this.#everybody.user(id).emit('message', message);
    }
    return message;
  }

  typing(to: Target): void {
    const { user, socket } = this.ctx;
    this.#checkThatReached(to);
    const others = 'room' in to ? this.#everybody.to(roomOf(to)).except(socket.id) : this.#everybody.user(to.user);
    others.volatile.emit('typing', user, to); // of no use to who comes back later
  }

  announce(text: string): void {
    this.#everybody.emit('announcement', { from: this.ctx.user, text, at: Date.now() });
  }

  #checkThatReached(to: Target): void {
    if ('room' in to) {
      if (this.ctx.socket.rooms.has(roomOf(to))) return;
      throw new IoError('NOT_IN_ROOM', `Join ${to.room} before you write there`, { status: 403 });
    }
    if (!this.#presence.has(to.user)) throw new IoError('OFFLINE', 'This person has gone offline', { status: 404 });
  }
}
