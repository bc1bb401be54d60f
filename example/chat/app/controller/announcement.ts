import { Controller } from 'egg';
import type ChatService from '../service/chat';

export default class AnnouncementController extends Controller {
  /** From HTTP to everybody who is online. */
  create(): void {
    const { ctx } = this;
    const chat: ChatService = this.service.chat; // Egg types every service as any
    ctx.app.chatMemory.countEvent(ctx.user); // with the events: HTTP is no way around their limit
    chat.announce(ctx.helper.text(ctx.request.body.text, 200));
    ctx.status = 204;
  }
}
