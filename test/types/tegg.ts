/** Decorated classes: what the compiler checks of their methods, with decorators of the standard as well as with those of tegg. Compiled, never run. */
import { defineContract } from 'egg-socket.io/contract';
import { IoConnect, IoController, IoDisconnect, IoEvent, IoMiddleware } from 'egg-socket.io/tegg';
import { z } from 'zod';

const chat = defineContract({
  namespace: '/chat',
  client: {
    say: { args: [z.string(), z.number().optional()], ack: z.object({ delivered: z.boolean() }) },
    'room:join': { args: [z.string()], ack: z.number() },
  },
});

@IoController(chat)
@IoMiddleware('auth', async (_ctx, next) => next())
export class Fits {
  @IoEvent() async say(text: string, at?: number) {
    return { delivered: text !== '' && at !== 0 };
  }
  @IoEvent(chat, 'room:join', { acknowledge: true }) @IoMiddleware('audit') async join(room: string) {
    return room.length;
  }
  @IoConnect() enter() {}
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
