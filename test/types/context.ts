/** What middleware and controllers see of the context. Compiled, never run. */
import { type Agent, type Application, type Context, Controller } from 'egg';
import type { Handler, Middleware, PacketContext } from 'egg-socket.io';
import { IoError } from 'egg-socket.io';

export const auth = (app: Application): Middleware => {
  return async (ctx, next) => {
    const id: string = ctx.socket.id;
    const address: string = ctx.socket.remoteAddress;
    if (ctx.socket.handshake.query['token'] === undefined) throw new IoError('NO_TOKEN', 'Log in first', { status: 401 });
    await ctx.socket.join(['room', id]);
    ctx.socket.emit('welcome', 1, { address });
    ctx.socket.to('room').emit('online', id);
    ctx.socket.on('disconnect', reason => {
      const why: string = reason;
      app.logger.info(why);
    });
    ctx.socket.on('say', (text: string) => text);
    const rooms: Set<string> = ctx.socket.rooms;
    const answer: unknown = await ctx.socket.timeout(1000).emitWithAck('sure');
    ctx.socket.data['user'] = { rooms, answer };
    const result: unknown = await next();
    ctx.logger.info('%j', result);
    ctx.socket.disconnect(true);
  };
};

export const filter: Middleware = async (ctx, next) => {
  const [event, ...args] = ctx.packet;
  const name: string = event;
  const first: unknown = args[0];
  await fetch('http://127.0.0.1', { signal: ctx.signal });
  // @ts-expect-error -- an array
  const wrong: string = ctx.packet;
  void wrong;
  if (name === 'say' && first === undefined) ctx.ack?.({ error: 'nothing to say' });
  else await next();
};

export const guard: Middleware = async (ctx, next) => {
  if (ctx.socket.rooms.size > 100) return next(new Error('too many rooms'));
  // @ts-expect-error -- would be ignored
  if (ctx.socket.rooms.size > 10) return next('too many rooms');
  return ctx.socket.rooms.size > 1 ? Promise.resolve(1).then(next) : fetch('http://127.0.0.1').then(() => next(), next);
};

export const controller = {
  async say(ctx: Context) {
    const [text] = ctx.args;
    // @ts-expect-error -- unknown, as it comes from a client
    text.trim();
    // @ts-expect-error -- and so is every other argument
    const count: number = ctx.args[1];
    return { text, count, at: ctx.starttime };
  },
  plain(this: Context) {
    return this.args.length;
  },
};

export const handlers: Handler[] = [controller.say, controller.plain, ctx => ctx.socket.id, () => undefined];

export class ChatController {
  async say(ctx: PacketContext<'/chat', 'say'>) {
    const first: unknown = ctx.args[0];
    await ctx.socket.join('room');
    ctx.ack?.(first);
    return { first, id: ctx.socket.id, service: ctx.service, app: ctx.app.config.env };
  }

  any(ctx: PacketContext) {
    const first: unknown = ctx.args[0];
    return first;
  }
}

export class EggController extends Controller {
  say() {
    this.app.io.to('room').emit('said', this.ctx.args[0]);
    return this.ctx.packet.length;
  }
}

export const routes = (app: Application): void => {
  const chat = new ChatController();
  app.io.of('/chat').route('say', chat.say).route('any', chat.any);
};

// what Egg itself types as the TCP connection of a request still is one
export const port = (ctx: Context): number | undefined => ctx.socket.remotePort;

const error = new IoError('FULL', 'no room', { status: 409, details: { limit: 2 }, cause: new Error('why') });
export const parts: [string, number, unknown, true] = [error.code, error.status, error.details, error.expose];
// @ts-expect-error -- a status is a number
new IoError('FULL', 'no room', { status: '409' });

export const agent = (agent: Agent): void => {
  agent.io.to('room').emit('news', 1);
  const answers: Promise<unknown[]> = agent.io.emitWithAck('ready?', 1);
  void answers;
  const count: Promise<number> = agent.io
    .of('/chat')
    .fetchSockets()
    .then(({ length }) => length);
  void count;
  // @ts-expect-error -- it is a server, not any
  agent.io.emitt('news');
};

export const users = async (ctx: Context): Promise<void> => {
  ctx.socket.user = 'anna';
  ctx.socket.user = 7;
  ctx.socket.user = { id: 7 };
  const id: string | undefined = ctx.socket.user?.id;
  // @ts-expect-error -- a user has an id
  ctx.socket.user = { name: 'Anna' };
  // @ts-expect-error -- and the id is a string or a number
  ctx.socket.user = true;
  const user = ctx.app.io.user(id ?? 7);
  user.except('room').emit('mail', 1);
  const answers: unknown[] = await user.timeout(1000).emitWithAck('sure');
  const isOnline: boolean = await user.isOnline();
  user.join(['room', 'other']);
  user.leave('room');
  user.disconnect(isOnline || answers.length > 0);
  ctx.app.io.of('/chat').exceptUser('anna').to('room').emit('mail', 1);
  // @ts-expect-error -- the id of a user is a string or a number
  ctx.app.io.user({ id: 7 });
};

export const presence = ({ io }: Application, { socket }: Context): unknown => {
  const room = io.presence('room:7');
  room.set(socket, { any: ['value'] });
  const [first] = room.list();
  // @ts-expect-error -- unknown, as nobody has declared it
  first?.meta.any;
  return first?.meta;
};
