/** Contracts, with each library of schemas: what both ends infer. Compiled, never run. */
import type { Application, Context } from 'egg';
import type { Handler, IoController, PacketContext, RoutedNamespace } from 'egg-socket.io';
import { type ClientSocket, defineContract, type Issue, type Params, type Reply, type ReplyError, unwrap } from 'egg-socket.io/contract';
import * as v from 'valibot';
import { z } from 'zod';

/** Arktype is ESM only, which a CommonJS file cannot import with every way to find modules. */
declare const type: typeof import('arktype', { with: { 'resolution-mode': 'import' } }).type;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): T | undefined => value;

const chat = defineContract({
  namespace: '/chat',
  client: {
    say: { args: [z.string(), z.object({ at: z.string().transform(text => new Date(text)) })], ack: z.object({ delivered: z.boolean() }) },
    note: { args: [z.string(), z.number().optional(), z.boolean().default(false)] },
    find: { args: [z.string(), z.number().optional()], ack: z.array(z.string()) },
    leave: {},
    get: { ack: z.union([z.object({ ok: z.literal(true), text: z.string() }), z.object({ ok: z.literal(false), reason: z.string() })]) },
    anything: { ack: z.unknown() },
    nothing: { ack: z.void() },
  },
  server: { said: { args: [z.string(), z.number()] }, left: {} },
  data: z.object({ name: z.string() }),
});

/** The same in the other libraries. */
const others = {
  valibot: defineContract({
    namespace: '/valibot',
    client: { say: { args: [v.string(), v.pipe(v.string(), v.transform(Number))], ack: v.object({ delivered: v.boolean() }) } },
    server: { said: { args: [v.string()] } },
  }),
  arktype: defineContract({
    namespace: '/arktype',
    client: { say: { args: [type('string'), type('string').pipe(Number)], ack: type({ delivered: 'boolean' }) } },
    server: { said: { args: [type('string')] } },
  }),
};
sure<Equal<PacketContext<typeof others.valibot, 'say'>['args'], [string, number]>>();
sure<Equal<PacketContext<typeof others.arktype, 'say'>['args'], [string, number]>>();

/** A function of the app for the context of any event. */
const ofAnyContext = ({ app, service }: Pick<Context, 'app' | 'service'>): boolean => app.config.env === typeof service;

export class ChatController {
  async say(ctx: PacketContext<typeof chat, 'say'>) {
    sure<Equal<typeof ctx.args, [string, { at: Date }]>>();
    const name: string = ctx.socket.data.name;
    ctx.socket.emit('said', name, 1);
    ctx.socket.to('room').emit('left');
    // @ts-expect-error -- the server has no such event
    ctx.socket.emit('sayd', name);
    // @ts-expect-error -- a number is missing
    ctx.socket.emit('said', name);
    // @ts-expect-error -- data has no such field
    void ctx.socket.data.nmae;
    ctx.ack?.({ delivered: true });
    // @ts-expect-error -- not what the contract has
    ctx.ack?.(true);
    ofAnyContext(ctx);
    void [ctx.app.config.env, ctx.service, ctx.logger, ctx.socket.remoteAddress, ctx.packet];
    return { delivered: name !== '' };
  }

  async note(ctx: PacketContext<typeof chat, 'note'>) {
    sure<Equal<typeof ctx.args, [string, number | undefined, boolean]>>();
    sure<Equal<typeof ctx.ack, undefined>>();
  }

  wrong() {
    return { delivered: 'yes' };
  }

  // @ts-expect-error -- an event without an acknowledgement has none to call
  leave = (ctx: PacketContext<typeof chat, 'leave'>) => ctx.ack('a');

  ofEgg(ctx: Context) {
    return { delivered: ctx.args.length > 0 };
  }

  // @ts-expect-error -- the contract has no such event
  misspelt(ctx: PacketContext<typeof chat, 'sya'>) {
    return ctx;
  }
}

export const routes = (app: Application, controller: IoController<typeof ChatController>): void => {
  const nsp: RoutedNamespace<typeof chat> = app.io.of(chat);
  nsp.route('say', controller.say).route('note', controller.note).route('disconnect', app.io.controller.life.disconnect);
  nsp.route('say', controller.ofEgg);
  nsp.route('say', app.io.controller.chat.say).route('say', 'chat.say', { acknowledge: true });
  nsp.route('say', 'chat.say', { idempotencyKey: (ctx: PacketContext<typeof chat, 'say'>) => ctx.args[0].length });
  nsp.route('say', ctx => {
    sure<Equal<typeof ctx.args, [string, { at: Date }]>>();
    return { delivered: true };
  });
  nsp.route('find', async ({ args: [text, limit = 10] }) => [text.slice(0, limit)]);
  nsp.route('get', async ({ args }) => (args.length === 0 ? { ok: true, text: '' } : { ok: false, reason: '' }));
  nsp.route('leave', async () => {});
  // @ts-expect-error -- the contract has no such event
  nsp.route('sya', controller.say);
  // @ts-expect-error -- this handler does not return what the contract has
  nsp.route('say', controller.wrong);
  // @ts-expect-error -- and this one takes other arguments
  nsp.route('say', controller.note);
  // @ts-expect-error -- nothing is returned
  nsp.route('say', async () => {});
  // @ts-expect-error -- a number is not an array
  nsp.route('find', () => 1);
  // @ts-expect-error -- an object is no handler
  nsp.route('say', {});
  // @ts-expect-error -- neither is a whole controller
  nsp.route('say', controller);
  // @ts-expect-error -- an error is thrown, not returned
  nsp.route('say', () => new Error('no'));
  // middleware
  nsp.route('say', 'auth', async ctx => {
    sure<Equal<typeof ctx.args, [string, { at: Date }]>>();
    return { delivered: true };
  });
  nsp.route('find', 'auth', app.io.middleware.audit, async ({ args: [text] }) => [text], { acknowledge: true });
  nsp.route(
    'find',
    async (ctx, next) => [ctx.args, await next()],
    'auth',
    app.io.middleware.audit,
    function () {
      return [this.args[0]];
    },
  );
  nsp.route('say', 'auth', controller.say).route('say', 'auth', controller.ofEgg).route('say', 'auth', 'chat.say');
  nsp.route('say', 'a', 'b', 'c', 'd', app.io.controller.chat.say).route('disconnect', 'auth', app.io.controller.life.disconnect);
  nsp.route('say', async (ctx: PacketContext<typeof chat, 'say'>, next) => [ctx.args[1].at, await next()], controller.say);
  // @ts-expect-error -- the contract has no such event
  nsp.route('sya', 'auth', controller.say);
  // @ts-expect-error -- this handler does not return what the contract has
  nsp.route('say', 'auth', controller.wrong);
  // @ts-expect-error -- neither does this one
  nsp.route('say', 'auth', async ctx => ctx.args.length);
  // @ts-expect-error -- a handler has no next()
  nsp.route('say', 'auth', async (ctx, next) => next());
  // @ts-expect-error -- options are not undefined
  nsp.route('say', controller.say, undefined);
  nsp
    .routeUnmatched(ctx => ctx.packet[0])
    .routeUnmatched('auth', async ctx => ctx.args, { acknowledge: true })
    .route('say', controller.say);
  // @ts-expect-error -- a handler is not missing
  nsp.routeUnmatched();
  nsp.use((socket, next) => {
    sure<Equal<typeof socket.data, { name: string }>>();
    next();
  });
  nsp.in('room').except('other').disconnectSockets();

  nsp.route('anything', async () => ({ code: 1 })).route('nothing', async () => {});

  nsp.emit('said', 'a', 1);
  nsp.to('room').emit('left');
  nsp.local.emit('said', 'a', 1);
  // @ts-expect-error -- an event of clients
  nsp.emit('say', 'a');
  // @ts-expect-error -- a string
  nsp.to('room').emit('said', 1, 1);
  // @ts-expect-error -- an argument too many
  nsp.emit('said', 'a', 1, 2);
  nsp.on('connection', socket => {
    sure<Equal<typeof socket.data, { name: string }>>();
    socket.on('say', (text, { at }, ack) => ack({ delivered: at.getTime() > text.length }));
    socket.on('note', (text, count, isSure) => void [text.length, count?.toFixed(), isSure]);
    // @ts-expect-error -- the contract has no such event
    socket.on('sya', () => {});
    // @ts-expect-error -- not what the contract has
    socket.on('say', (_text, _to, ack) => ack(true));
  });
  void nsp
    .in('room')
    .fetchSockets()
    .then(sockets => {
      const names: string[] = sockets.map(({ data }) => data.name);
      sockets[0]?.emit('said', names[0] ?? '', 1);
      // @ts-expect-error -- no such event
      sockets[0]?.emit('sayd');
      // @ts-expect-error -- no such field
      void sockets[0]?.data.nmae;
    });
  const typed: Handler<typeof chat, 'say'> = ({ args: [text] }) => ({ delivered: text !== '' });
  nsp.route('say', typed);
  app.io.of(chat, socket => socket.emit('said', socket.data.name, 1));
  // @ts-expect-error -- the server has no such event
  app.io.of(chat, socket => socket.emit('sayd'));
  for (const contract of [others.valibot]) app.io.of(contract).route('say', ({ args: [, count] }) => ({ delivered: count > 1 }));
  // @ts-expect-error -- the library's own schemas say what it is
  app.io.of(others.arktype).route('say', ({ args: [, count] }) => ({ delivered: count.length }));
  app.io.of({ namespace: '/inline', client: { ping: { ack: z.number() } } }).route('ping', () => 1);
  app.io.of('/chat').emit('anything', 1); // by its name, it is any namespace
};

export const problemOf = (error: ReplyError, argument: number): string | undefined => {
  sure<Equal<typeof error.issues, readonly Issue[]>>();
  return error.issues.find(({ path }) => path[0] === argument)?.message;
};

export const client = async (socket: ClientSocket<typeof chat>): Promise<void> => {
  socket.on('said', (text, count) => void [text.trim(), count.toFixed()]);
  socket.on('connect', () => {});
  socket.on('error', (message, { code, event }) => void [message.trim(), code.trim(), event.trim()]);
  const reply: Reply<{ delivered: boolean }> = await socket.emitWithAck('say', 'hello', { at: '2030-01-01' });
  const { delivered } = unwrap(reply);
  sure<Equal<typeof delivered, boolean>>();
  if ('error' in reply) void reply.error.code.trim();
  // @ts-expect-error -- it may be an error
  void reply.delivered;
  socket.emit('note', 'a');
  socket.emit('note', 'a', 1, true);
  socket.emit('leave');
  const found = unwrap(await socket.timeout(1000).emitWithAck('find', 'a'));
  sure<Equal<typeof found, string[]>>();
  socket.emit('find', 'a', 1, reply => void unwrap(reply).length);
  // @ts-expect-error -- no such event
  socket.emit('sya', 'hello');
  // @ts-expect-error -- a client sends what the schema takes, not what it returns
  await socket.emitWithAck('say', 'hello', { at: new Date() });
  // @ts-expect-error -- an argument is missing
  await socket.emitWithAck('say', 'hello');
  // @ts-expect-error -- an event with an acknowledgement asks for it
  socket.emit('say', 'hello', { at: '2030-01-01' });
  // @ts-expect-error -- and one without does not
  socket.emit('leave', () => {});
  // @ts-expect-error -- the server has no such event
  socket.on('sayd', () => {});
  // @ts-expect-error -- a string
  socket.on('said', (text: number) => text);
};

const room = defineContract({ namespace: '/{team}/room-{id}', client: { say: { args: [z.string()] } } });

export const params = (app: Application): void => {
  app.io.of(room).route('say', async ctx => {
    sure<Equal<typeof ctx.params, Record<'team' | 'id', string>>>();
    // @ts-expect-error -- no such part
    return ctx.params.it;
  });
  app.io.of(chat).route('leave', async ctx => {
    // @ts-expect-error -- the namespace is no pattern
    return ctx.params.id;
  });
  sure<Equal<Params<string>, Record<string, string>>>();
};

// @ts-expect-error -- misspelt
defineContract({ namespace: '/wrong', clients: {} });
// @ts-expect-error -- misspelt in an event of clients
defineContract({ namespace: '/wrong', client: { say: { args: [z.string()], acks: z.string() } } });
// @ts-expect-error -- events of the server have no acknowledgement
defineContract({ namespace: '/wrong', server: { said: { args: [z.string()], ack: z.string() } } });
// @ts-expect-error -- a name is missing
defineContract({ client: {} });
// @ts-expect-error -- args are schemas
defineContract({ namespace: '/wrong', client: { say: { args: [String] } } });
// @ts-expect-error -- an array of them
defineContract({ namespace: '/wrong', client: { say: { args: z.string() } } });
