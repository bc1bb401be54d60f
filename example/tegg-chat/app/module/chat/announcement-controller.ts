import { HTTPBody, HTTPController, HTTPMethod, HTTPMethodEnum } from 'egg';
import type { RoutedNamespace } from 'egg-socket.io';
import { IoNamespace } from 'egg-socket.io/tegg';
import { chat } from '../../../contract.js';

/** From an HTTP request to every open page. */
@HTTPController({ path: '/announcements' })
export class AnnouncementController {
  @IoNamespace(chat) private readonly chat!: RoutedNamespace<typeof chat>;

  @HTTPMethod({ method: HTTPMethodEnum.POST, path: '/' })
  async create(@HTTPBody() { text }: { text?: unknown }) {
    if (typeof text !== 'string' || text === '') return { announced: false };
    this.chat.emit('announcement', text.slice(0, 200));
    return { announced: true };
  }
}
