/** Decorated parameters, which the standard does not have: what the compiler checks of their methods. Compiled, never run. */
import type { RoutedNamespace, Socket, SocketUser } from 'egg-socket.io';
import { defineContract } from 'egg-socket.io/contract';
import {
  IoAck,
  IoConnect,
  IoController,
  IoEvent,
  IoMiddleware,
  IoNamespace,
  IoParam,
  IoSession,
  IoSocket,
  IoUser,
} from 'egg-socket.io/tegg';
import { z } from 'zod';

const chat = defineContract({
  namespace: '/chat',
  client: {
    say: { args: [z.string(), z.number().optional()], ack: z.object({ delivered: z.boolean() }) },
    note: { args: [z.string()] },
    'room:join': { args: [z.string()], ack: z.number() },
  },
  server: { said: { args: [z.string()] } },
});

@IoController(chat)
@IoMiddleware('auth', async (_ctx, next) => next())
export class Fits {
  @IoNamespace(chat) readonly chat!: RoutedNamespace<typeof chat>;
  @IoEvent() async say(text: string, at: number | undefined, @IoSocket() socket: Socket) {
    this.chat.emit('said', text);
    return { delivered: socket.connected || at === 0 };
  }
  @IoEvent() note(text: string, @IoUser() _user: SocketUser | undefined, @IoAck() _ack: unknown) {
    void text;
  }
  @IoEvent(chat, 'room:join') @IoMiddleware('audit') async join(room: string, @IoParam('id') id: string, @IoSession() _session: object) {
    return room.length + id.length;
  }
  @IoConnect() enter(@IoSocket() socket: Socket) {
    socket.emit('hello');
  }
}

// @ts-expect-error -- what is injected is no argument of the event, and these come first
@IoController(chat)
export class WrongOrder {
  @IoEvent() async say(@IoSocket() socket: Socket, text: string) {
    return { delivered: socket.connected && text !== '' };
  }
}
