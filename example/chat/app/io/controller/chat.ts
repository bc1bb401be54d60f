/** The events of the contract. What a method returns is the acknowledgement, and so is what it throws. */
import { type Context, Controller } from 'egg';
import type { PacketContext } from 'egg-socket.io';
import type { chat, Message } from '../../../contract';
import type ChatService from '../../service/chat';

export default class ChatController extends Controller {
  get #chat(): ChatService {
    return this.service.chat; // Egg types every service as any
  }

  /** The first thing a page sends, and sends again whenever it has been offline. The worker is for the curious, who open two pages. */
  enter({ app, user }: PacketContext<typeof chat, 'enter'>) {
    return { me: user, worker: process.pid, at: Date.now(), rooms: app.chatMemory.rooms, online: this.#chat.enter() };
  }

  async join(ctx: PacketContext<typeof chat, 'join'>): Promise<Message[]> {
    const [to] = ctx.args;
    return await this.#chat.join(to);
  }

  async say(ctx: PacketContext<typeof chat, 'say'>): Promise<Message> {
    const [to, text] = ctx.args;
    return await this.#chat.say(to, text);
  }

  typing(ctx: PacketContext<typeof chat, 'typing'>): void {
    const [to] = ctx.args;
    this.#chat.typing(to);
  }

  /** Not sent by the page, but fired by the server when a connection has ended, in whatever way. */
  disconnect({ args: [reason], logger, user }: Context): void {
    logger.info('%s has gone: %s', user.name, reason);
  }
}
