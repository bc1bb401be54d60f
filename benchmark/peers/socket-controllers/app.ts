/** Controllers of socket-controllers, with interceptors as what passes each message on, and a service of typedi. */
import 'reflect-metadata';
import {
  type InterceptorInterface,
  MessageAck,
  MessageBody,
  OnMessage,
  SocketController,
  type SocketEventContext,
  SocketIO,
} from 'socket-controllers';
import { UseInterceptor } from 'socket-controllers/decorators/UseInterceptor'; // its README has it, its index does not
import type { Server } from 'socket.io';
import { Service } from 'typedi';

type Ack = (message: unknown) => void;

@Service()
class PassInterceptor implements InterceptorInterface {
  async use(context: SocketEventContext, next: () => unknown) {
    return await next();
  }
}

@Service()
class MessageService {
  answer(message: unknown) {
    return message;
  }

  receive(message: unknown) {
    count();
  }
}

@SocketController()
@Service()
@UseInterceptor(PassInterceptor)
class MessageController {
  constructor(private readonly messages: MessageService) {}

  @OnMessage('echo')
  async echo(@MessageBody() message: unknown, @MessageAck() ack: Ack) {
    ack(this.messages.answer(message));
  }

  @OnMessage('one-way')
  async receive(@MessageBody() message: unknown) {
    this.messages.receive(message);
  }

  @OnMessage('shout')
  async shout(@MessageBody() message: unknown, @SocketIO() io: Server) {
    io.emit('news', message);
  }
}

/** A controller without a service. */
function bareController(namespace: string, ...interceptors: (typeof PassInterceptor)[]) {
  @SocketController(namespace)
  @Service()
  @UseInterceptor(...interceptors)
  class BareController {
    @OnMessage('echo')
    async echo(@MessageBody() message: unknown, @MessageAck() ack: Ack) {
      ack(message);
    }

    @OnMessage('one-way')
    async receive() {
      count();
    }
  }
  return BareController;
}

export const controllers = [
  MessageController,
  bareController('/chain-0'),
  bareController('/chain-1', PassInterceptor),
  bareController('/chain-5', PassInterceptor, PassInterceptor, PassInterceptor, PassInterceptor, PassInterceptor),
];

function count() {
  (globalThis as unknown as { received: number }).received++;
}
