/** The events of the contract. What a method returns is the acknowledgement, and so is what it throws. */
import { Inject, type Logger } from 'egg';
import type { RoutedNamespace, Socket, SocketUser } from 'egg-socket.io';
import { IoController, IoDisconnect, IoEvent, IoNamespace, IoSocket, IoUser } from 'egg-socket.io/tegg';
import { chat } from '../../../contract.js';
import type { Rooms } from './rooms.js';

@IoController(chat)
export class ChatController {
  @Inject() private readonly rooms!: Rooms;
  @Inject() private readonly logger!: Logger;
  @IoNamespace(chat) private readonly chat!: RoutedNamespace<typeof chat>;

  @IoEvent()
  async join(room: string, @IoSocket() socket: Socket) {
    const messages = this.rooms.open(room);
    await socket.join(`room ${room}`);
    return [...messages];
  }

  @IoEvent()
  async say(room: string, text: string, @IoSocket() socket: Socket, @IoUser() user: SocketUser) {
    if (!socket.rooms.has(`room ${room}`)) throw Object.assign(new Error('Join the room first'), { status: 403 });
    const message = this.rooms.add(room, user.id, text);
    this.chat.to(`room ${room}`).except(socket.id).emit('message', room, message);
    return message;
  }

  @IoEvent(chat, 'room:list')
  async list() {
    return this.rooms.names;
  }

  @IoDisconnect()
  async leave(reason: string, @IoUser() user: SocketUser) {
    this.logger.info('%s has gone: %s', user.id, reason);
    this.chat.emit('left', user.id);
  }
}
