/** `app.io`, without types that egg-ts-helper has made. Compiled, never run. */
import type { Application, Context } from 'egg';
import type {
  Handler,
  Middleware,
  PacketContext,
  RouteArguments,
  RoutedNamespace,
  RouteOptions,
  Server,
  SpecificMiddleware,
} from 'egg-socket.io';

export default (app: Application): void => {
  const io: Server = app.io;

  io.route('ping', io.controller.chat.ping);
  io.route('kick', io.controller.admin.rooms.kick).route('say', io.controllers.chat.say);
  io.route('plain', ctx => ctx.args);
  io.route('done', io.controller.chat.ping, { acknowledge: true });
  io.route('paid', io.controller.chat.ping, { idempotencyKey: ctx => ctx.args[0] });
  // @ts-expect-error -- it is a function
  io.route('paid', io.controller.chat.ping, { idempotencyKey: 'id' });
  io.route('context', async function (ctx) {
    return [this.socket.id, ctx.socket.id];
  });

  const chat: RoutedNamespace = io.of('/chat').route('ping', io.controller.chat.ping).route('pong', io.controller.chat.pong);
  chat.to('room').emit('online', 1);
  chat.on('connection', socket => socket.join('room'));
  io.of('/chat').use((socket, next) => next(new Error(socket.id)));
  io.to('room').emit('online');
  const known: Middleware = io.middleware.auth;
  const nested: Middleware = io.middlewares.admin.auth;
  const handler: Handler = io.controller.chat.ping;
  void [known, nested, handler];

  io.route('guarded', 'auth', io.middleware.audit, 'chat.say', { acknowledge: true });
  io.route(
    'inline',
    async (ctx, next) => [ctx.socket.id, await next()],
    'auth',
    async ctx => ctx.args,
  );
  io.of('/chat').route('specific', 'auth', async (ctx: PacketContext<'/chat', 'say'>) => ctx.args);
  io.route('this', 'auth', async function (ctx) {
    return [this.socket.id, ctx.args];
  });
  io.route('two', 'auth', io.middleware.audit, async ctx => ctx.args, { acknowledge: true });
  io.route(
    'three',
    async (ctx, next) => [ctx.args, await next()],
    io.middleware.audit,
    'auth',
    function () {
      return this.args;
    },
  );
  io.route('four', 'a', 'b', 'c', io.middleware.audit, io.controller.chat.say, { acknowledge: true });
  io.routeUnmatched('auth', function (ctx) {
    return [this.packet, ctx.args];
  });
  const ofSay: SpecificMiddleware = async (ctx: PacketContext<'/chat', 'say'>, next) => [ctx.args, await next()];
  io.of('/chat').route('say', ofSay, io.controller.chat.say).routeUnmatched(ofSay, 'auth', 'chat.say');
  const parts: RouteArguments<Middleware, Handler> = ['auth', io.controller.chat.say, { acknowledge: true }];
  io.route('parts', ...parts).routeUnmatched(...parts);
  // @ts-expect-error -- a handler has no next()
  io.route('middleware', 'auth', async (ctx, next) => next());
  // @ts-expect-error -- nor after more middleware
  io.route('middleware', 'auth', 'audit', async (ctx: Context, next: () => Promise<unknown>) => next());
  // @ts-expect-error -- nor for unmatched events
  io.routeUnmatched('auth', io.middleware.audit, (ctx: Context, next: () => Promise<unknown>) => next());
  // @ts-expect-error -- options are not undefined
  io.route('undefined', io.controller.chat.say, undefined);
  const optional: { options?: RouteOptions } = {};
  // @ts-expect-error -- and may not be
  io.route('undefined', io.controller.chat.say, optional.options);
  // @ts-expect-error -- nor for unmatched events
  io.routeUnmatched(io.controller.chat.say, undefined);
  // @ts-expect-error -- an array is no options
  io.route('array', io.controller.chat.say, []);
  io.routeUnmatched(ctx => ctx.packet?.[0]);
  io.of('/chat').routeUnmatched('auth', io.controller.chat.ping, { acknowledge: true });
  // @ts-expect-error -- middleware is a function or the name of one
  io.route('guarded', 1, 'chat.say');
  // @ts-expect-error -- an option that there is not, after middleware
  io.route('guarded', 'auth', 'chat.say', { acknowledged: true });
  // @ts-expect-error -- a handler of unmatched events is not missing
  io.routeUnmatched();

  // @ts-expect-error -- an event is a string
  io.route(1, io.controller.chat.ping);
  io.route('ping', 'chat.ping');
  // @ts-expect-error -- a handler is a function or the name of one
  io.route('ping', 1);
  // @ts-expect-error -- an option that there is not
  io.route('ping', io.controller.chat.ping, { acknowledged: true });
  // @ts-expect-error -- and not missing
  io.of('/chat').route('ping');
  // @ts-expect-error -- internal parts are not for apps
  void io.arrivals;
};
