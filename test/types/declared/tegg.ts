/** Decorated classes of a namespace whose events are declared. Compiled, never run. */
import type { Socket } from 'egg-socket.io';
import { IoController, IoEvent, IoSocket } from 'egg-socket.io/tegg';

@IoController('/chat')
export class Fits {
  @IoEvent() async say(text: string, to: { room: string }, @IoSocket() socket: Socket) {
    return { delivered: socket.rooms.has(to.room) && text !== '' };
  }
  @IoEvent() note(text: string, urgent?: boolean) {
    void [text, urgent];
  }
}

// @ts-expect-error -- the acknowledgement is an object
@IoController('/chat')
export class WrongAnswer {
  @IoEvent() async say(text: string) {
    return text;
  }
}

// @ts-expect-error -- the argument is a string
@IoController('/chat')
export class WrongArgument {
  @IoEvent() note(text: number) {
    void text;
  }
}

// @ts-expect-error -- there is no such namespace
@IoController('/caht')
export class WrongNamespace {
  @IoEvent() note(text: string) {
    void text;
  }
}
