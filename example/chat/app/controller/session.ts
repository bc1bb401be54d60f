import { randomUUID } from 'node:crypto';
import { Controller } from 'egg';
import { type User, userName } from '../../contract';
import type ChatService from '../service/chat';

/** Who is logged in: the cookie of this session comes with the handshake of Socket.IO too. */
export default class SessionController extends Controller {
  get #chat(): ChatService {
    return this.service.chat; // Egg types every service as any
  }

  show(): void {
    const { ctx } = this;
    ctx.body = { user: ctx.session.user ?? null };
  }

  async create(): Promise<void> {
    const { ctx } = this;
    const { user: former } = ctx.session;
    const user: User = { id: randomUUID(), name: ctx.helper.check(userName, ctx.request.body.name) };
    await this.#chat.claim(user);
    if (former) await this.#chat.logOut(former);
    ctx.session.user = user;
    ctx.rotateCsrfSecret();
    ctx.body = { user };
  }

  /** Whoever asks is logged out afterwards, even if the session has ended before. */
  async destroy(): Promise<void> {
    const { ctx } = this;
    const { user } = ctx.session;
    if (user) await this.#chat.logOut(user);
    ctx.session = null;
    ctx.body = { user: null };
  }
}
