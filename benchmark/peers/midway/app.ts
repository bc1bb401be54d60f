/** A Midway controller for each namespace, with the framework's own middleware, and a provider as the service. */
import { Configuration, type IMiddleware, Inject, Middleware, OnWSMessage, Provide, WSController } from '@midwayjs/core';
import * as socketio from '@midwayjs/socketio';

@Middleware()
class PassMiddleware implements IMiddleware<socketio.Context, () => Promise<unknown>> {
  resolve() {
    return async (ctx: socketio.Context, next: () => Promise<unknown>) => await next();
  }
}

@Provide()
export class MessageService {
  answer(message: unknown) {
    return message;
  }

  receive(message: unknown) {
    count();
  }
}

@WSController('/', { middleware: [PassMiddleware] })
export class MessageController {
  @Inject()
  messages!: MessageService;

  @Inject()
  ctx!: socketio.Context;

  @OnWSMessage('echo')
  async echo(message: unknown) {
    return this.messages.answer(message);
  }

  @OnWSMessage('echo-and-log')
  async echoAndLog(message: unknown) {
    this.ctx.logger.info('%j', message);
    return this.messages.answer(message);
  }

  @OnWSMessage('one-way')
  async receive(message: unknown) {
    this.messages.receive(message);
  }

  @OnWSMessage('shout')
  async shout(message: unknown) {
    this.ctx.nsp.emit('news', message);
  }
}

/** A controller without a service. */
function bareController(namespace: string, ...middleware: (typeof PassMiddleware)[]) {
  @WSController(namespace, { middleware })
  class BareController {
    @OnWSMessage('echo')
    async echo(message: unknown) {
      return message;
    }

    @OnWSMessage('one-way')
    async receive() {
      count();
    }
  }
  return BareController;
}

export const Chain0 = bareController('/chain-0');
export const Chain1 = bareController('/chain-1', PassMiddleware);
export const Chain5 = bareController('/chain-5', PassMiddleware, PassMiddleware, PassMiddleware, PassMiddleware, PassMiddleware);
export { PassMiddleware };

@Configuration({
  imports: [socketio],
  importConfigs: [
    {
      default: {
        keys: 'benchmark',
        socketIO: { serveClient: false },
        midwayLogger: { default: { dir: `${process.env['HOME']}/logs/midway`, transports: { console: false } } },
      },
    },
  ],
})
export class MainConfiguration {}

function count() {
  (globalThis as unknown as { received: number }).received++;
}
