/** Decorated classes: what the compiler checks of their methods. Compiled, never run. */
import type { Socket } from 'egg-socket.io';
import { defineContract } from 'egg-socket.io/contract';
import {
  IoAck,
  IoConnect,
  IoController,
  IoDisconnect,
  IoEvent,
  IoMiddleware,
  IoNamespace,
  IoParam,
  IoSession,
  IoSocket,
  IoUser,
} from 'egg-socket.io/tegg';
import type { RoutedNamespace, SocketUser } from 'egg-socket.io';
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
  @IoDisconnect() leave(reason: string) {
    void reason;
  }
  /** No event has this name. */
  helper(value: number) {
    return value;
  }
}

// @ts-expect-error -- the argument is a string
@IoController(chat)
export class WrongArgument {
  @IoEvent() async say(text: number) {
    return { delivered: text > 0 };
  }
}

// @ts-expect-error -- the acknowledgement is an object
@IoController(chat)
export class WrongAnswer {
  @IoEvent() async say(text: string) {
    return text;
  }
}

@IoController(chat)
export class WrongOther {
  // @ts-expect-error -- the acknowledgement is a number
  @IoEvent(chat, 'room:join') async join(room: string) {
    return room;
  }
  // @ts-expect-error -- the argument is a string
  @IoEvent(chat, 'room:join') async enter(room: number) {
    return room;
  }
  // @ts-expect-error -- the contract has no such event
  @IoEvent(chat, 'room:jion') async misspelt(room: string) {
    return room.length;
  }
}

// @ts-expect-error -- what is injected is no argument of the event, and these come first
@IoController(chat)
export class WrongOrder {
  @IoEvent() async say(@IoSocket() socket: Socket, text: string) {
    return { delivered: socket.connected && text !== '' };
  }
}

@IoController(chat)
export class Hidden {
  // @ts-expect-error -- the class decorator could not check it
  @IoEvent() private async say(text: number) {
    return text;
  }
  // @ts-expect-error -- nor this one
  @IoEvent() protected async tell(text: number) {
    return text;
  }
}

@IoController(chat)
export class Property {
  // @ts-expect-error -- no method
  @IoEvent() say = async (text: string) => ({ delivered: text !== '' });
}

// @ts-expect-error -- it needs a namespace
@IoController()
export class NoNamespace {}

@IoController('/anything')
export class Undeclared {
  @IoEvent('a:b', { acknowledge: true }) async any(one: string, two: number) {
    return [one, two];
  }
}
