import { Controller } from 'egg';
import { announcementText } from '../../contract';
import type ChatService from '../service/chat';

export default class AnnouncementController extends Controller {
  /** From HTTP to everybody who is online. */
  async create(): Promise<void> {
    const { ctx } = this;
    const chat: ChatService = this.service.chat; // Egg types every service as any
    await ctx.app.chatMemory.ask('countEvent', ctx.user); // with the events: HTTP is no way around their limit
    chat.announce(ctx.helper.check(announcementText, ctx.request.body.text));
    ctx.status = 204;
  }
}
