import { randomUUID } from 'node:crypto';
import { Controller } from 'egg';
import { IoError } from 'egg-socket.io';
import type { User } from '../../types';
import type ChatService from '../service/chat';

/** Who is logged in: the cookie of this session comes with the handshake of Socket.IO too. */
export default class SessionController extends Controller {
  get #chat(): ChatService {
    return this.service.chat;
  }

  show(): void {
    const { ctx } = this;
    ctx.body = { user: ctx.session.user ?? null };
  }

  create(): void {
    const { ctx } = this;
    const name = ctx.helper.text(ctx.request.body.name, 20);
    if (this.#chat.isTaken(name)) throw new IoError('NAME_TAKEN', `${name} is online already: choose another name`, { status: 409 });
    const user: User = { id: randomUUID(), name };
    ctx.session.user = user;
    ctx.rotateCsrfSecret();
    ctx.body = { user };
  }

  destroy(): void {
    const { ctx } = this;
    this.#chat.closeConnectionsOf(ctx.user);
    ctx.session = null;
    ctx.body = { user: null };
  }
}
