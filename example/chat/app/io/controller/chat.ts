/** The events of the namespace /chat. What a method returns is the acknowledgement, and so is what it throws. */
import { Controller } from 'egg';
import type { PacketContext } from 'egg-socket.io';
import type { Message } from '../../../types';
import type ChatService from '../../service/chat';

const MAX_LENGTH = 500;

export default class ChatController extends Controller {
  get #chat(): ChatService {
    return this.service.chat; // Egg types every service as any
  }

  /** The first thing a page sends, and sends again whenever it has been offline. */
  enter() {
    return this.#chat.enter();
  }

  async join(ctx: PacketContext<'/chat', 'join'>): Promise<readonly Message[]> {
    const [to] = ctx.args;
    return await this.#chat.join(ctx.helper.target(to));
  }

  async say(ctx: PacketContext<'/chat', 'say'>): Promise<Message> {
    const [to, text] = ctx.args;
    return await this.#chat.say(ctx.helper.target(to), ctx.helper.text(text, MAX_LENGTH));
  }

  async typing(ctx: PacketContext<'/chat', 'typing'>): Promise<void> {
    const [to] = ctx.args;
    await this.#chat.typing(ctx.helper.target(to));
  }

  /** Not sent by the page, but fired by the server when a connection has ended, in whatever way. */
  disconnect(ctx: PacketContext<'/chat', 'disconnect'>): void {
    const [reason] = ctx.args;
    ctx.logger.info('%s has gone: %s', ctx.user.name, reason);
  }
}
