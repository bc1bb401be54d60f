/** An app that declares its events, data and context. Compiled, never run. */
import type { Agent, Application, Context } from 'egg';
import type {
  Acknowledge,
  EventArgs,
  Handler,
  IoController,
  Middleware,
  NamespaceName,
  PacketContext,
  PresenceChange,
  RoutedNamespace,
  Server,
  Socket,
  SpecificHandler,
} from 'egg-socket.io';
import { defineContract, unwrap } from 'egg-socket.io/contract';
import type { DefaultEventsMap } from 'socket.io';
import type { Socket as ClientSocket } from 'socket.io-client';
import { z } from 'zod';
import type { FromClients, FromServer } from './declarations.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): T | undefined => value;

sure<Equal<NamespaceName, '/' | '/chat' | '/quiet' | '/room-{id}'>>();
sure<Equal<EventArgs<'/chat', 'note'>, [text: string, urgent?: boolean | undefined, ack?: Acknowledge]>>();

class ChatController {
  async say(ctx: PacketContext<'/chat', 'say'>) {
    const [text, { room }] = ctx.args;
    ctx.socket.emit('said', ctx.socket.data.name, text.trim() + room);
    ctx.socket.to(room).emit('left');
    const yes: boolean = await ctx.socket.emitWithAck('sure', '?');
    ctx.socket.on('note', (note, urgent) => [note.trim(), urgent === true]);
    const name: string | undefined = ctx.session.user?.name;
    const id: number = ctx.visitor.id;
    const address: string = ctx.socket.remoteAddress;
    ctx.ack?.({ delivered: yes });
    // @ts-expect-error -- not what the client gets
    ctx.ack?.({ delivered: 1 });
    // @ts-expect-error -- the server has no such event
    ctx.socket.emit('sayd', 'a', 'b');
    // @ts-expect-error -- a text is missing
    ctx.socket.emit('said', 'a');
    // @ts-expect-error -- nor in a room
    ctx.socket.to(room).emit('sayd');
    // @ts-expect-error -- clients have no such event
    ctx.socket.on('nota', () => {});
    // @ts-expect-error -- no such field
    void ctx.socket.data.nmae;
    // @ts-expect-error -- a string
    const wrong: number = ctx.args[0];
    void [name, id, address, wrong, ctx.app.config.env, ctx.service, ctx.logger, ctx.packet];
    return { delivered: yes };
  }

  note(ctx: PacketContext<'/chat', 'note'>) {
    sure<Equal<typeof ctx.args, [text: string, urgent?: boolean | undefined, ack?: Acknowledge]>>();
  }

  async ask(ctx: PacketContext<'/chat', 'ask'>) {
    return ctx.args[0].length;
  }

  disconnect(ctx: PacketContext<'/chat', 'disconnect'>) {
    const reason: string = ctx.args[0];
    return reason;
  }

  error(ctx: PacketContext<'/chat', 'error'>) {
    return ctx.args[0].message;
  }

  any(ctx: PacketContext) {
    // @ts-expect-error -- no such field, in Egg's own context either
    void ctx.socket.data.nmae;
    sure<Equal<typeof ctx, Context>>();
    const first: unknown = ctx.args[0];
    return { delivered: first === 1 };
  }

  ofEgg(ctx: Context) {
    return { delivered: ctx.args.length > 0 };
  }

  wrong() {
    return { delivered: 'yes' };
  }

  async forgotten() {}

  // @ts-expect-error -- clients have no such event
  misspelt(ctx: PacketContext<'/chat', 'sya'>) {
    return ctx;
  }

  // @ts-expect-error -- there is no such namespace
  elsewhere(ctx: PacketContext<'/caht', 'say'>) {
    return ctx;
  }

  // of clients alone is declared: the rest is as Egg's
  hush(ctx: PacketContext<'/quiet', 'hush'>) {
    const egg: Context = ctx;
    ctx.socket.emit('anything', egg.args);
  }

  enter(ctx: PacketContext<'/room-{id}', 'enter'>) {
    ctx.socket.emit('entered', ctx.socket.data.name + ctx.params.id);
    // @ts-expect-error -- the pattern has no such part
    void ctx.params.room;
    return 1;
  }

  news(ctx: PacketContext<'/', 'any'>) {
    ctx.socket.emit('news', String(ctx.args[0]));
    // @ts-expect-error -- there are none
    ctx.socket.emit('olds', '');
  }
}

export const auth = (): Middleware => async (ctx, next) => {
  ctx.socket.data.name = ctx.session.user?.name ?? '';
  const id: number = ctx.visitor.id;
  // @ts-expect-error -- no such field
  ctx.socket.data.nmae = String(id);
  await next();
};

export const greet: Middleware<'/chat'> = async (ctx, next) => {
  ctx.socket.emit('said', ctx.session.user?.name ?? '', String(ctx.visitor.id));
  // @ts-expect-error -- the server has no such event
  ctx.socket.emit('sayd');
  await next();
};

// @ts-expect-error -- there is no such namespace
export const nowhere: Middleware<'/caht'> = async (_ctx, next) => next();

export const routes = (app: Application, controller: IoController<typeof ChatController>): void => {
  const { io } = app;
  const chat: RoutedNamespace<'/chat'> = io.of('/chat');
  void chat
    .history('room')
    .read({ last: 3, limit: 2, since: { epoch: 'a', offset: 1 } })
    .then(({ recovered, epoch, offset, more, events }) => {
      sure<Equal<[typeof recovered, typeof epoch, typeof offset, typeof more], [boolean, string, number, boolean]>>();
      for (const { offset, event, args } of events) {
        sure<Equal<typeof offset, number>>();
        if (event === 'said') sure<Equal<typeof args, [name: string, text: string]>>();
        // @ts-expect-error -- the server emits no such event
        if (event === 'sayd') return;
      }
    });
  // @ts-expect-error -- a number
  void io.history('room').read({ last: '3' });
  chat.route('say', controller.say).route('note', controller.note).route('ask', controller.ask);
  chat
    .route('disconnect', controller.disconnect)
    .route('error', controller.error)
    .route('disconnecting', () => 1);
  chat.route('say', controller.any).route('say', controller.ofEgg).route('say', app.io.controller.chat.say).route('say', 'chat.say');
  chat.route('say', 'auth', controller.say, { acknowledge: true }).route('say', 'auth', greet, controller.say);
  chat.route('say', ctx => {
    sure<Equal<(typeof ctx.args)[0], string>>();
    return { delivered: true };
  });
  chat.route('say', 'auth', async ({ args: [text] }) => ({ delivered: text !== '' }));
  chat.route('say', 'auth', io.middleware.audit, async function () {
    return { delivered: this.args[0] !== '' };
  });
  // the literals of an answer are kept, with middleware too, and after middleware for this namespace
  chat
    .route('get', ({ args: [id] }) => (id > 0 ? { ok: true, text: 'a' } : { ok: false, reason: 'none' }))
    .route('get', async ({ args: [id] }) => (id > 0 ? { ok: true, text: 'a' } : { ok: false, reason: 'none' }))
    .route('get', greet, async ({ args: [id] }) => (id > 0 ? { ok: true, text: 'a' } : { ok: false, reason: 'none' }))
    .route('say', greet, 'auth', ({ args: [text] }) => ({ delivered: text.trim() !== '' }));
  // @ts-expect-error -- of the two answers a mixture
  chat.route('get', async () => ({ ok: true, reason: 'none' }));
  // an optional acknowledgement may be left out; one of several values, or none, is called
  chat
    .route('maybe', () => {})
    .route('maybe', async () => {})
    .route('maybe', () => 1);
  chat
    .route('both', ({ ack }) => ack?.(null, 1))
    .route('both', async () => {})
    .route('done', ({ ack }) => ack?.());
  chat.route('anything', ({ args: [value] }) => value.anything).route('note', () => 1);
  // @ts-expect-error -- a number
  chat.route('maybe', () => 'one');
  // @ts-expect-error -- clients have no such event
  chat.route('sya', controller.say);
  // @ts-expect-error -- nor with middleware
  chat.route('sya', 'auth', controller.say);
  // @ts-expect-error -- this handler does not return what is declared
  chat.route('say', controller.wrong);
  // @ts-expect-error -- nor does this one return anything
  chat.route('say', controller.forgotten);
  // @ts-expect-error -- a handler in place does not either
  chat.route('say', async () => {});
  // @ts-expect-error -- nor behind middleware
  chat.route('say', 'auth', async ctx => ctx.args.length);
  // @ts-expect-error -- this one is for another event
  chat.route('say', controller.ask);
  // @ts-expect-error -- and this one for another namespace
  chat.route('say', controller.enter);
  // @ts-expect-error -- an error is thrown, not returned
  chat.route('say', () => new Error('no'));
  // @ts-expect-error -- a handler has no next()
  chat.route('say', 'auth', async (ctx, next) => next());

  chat.emit('said', 'a', 'b');
  chat.to('room').emit('left');
  io.in('room').emit('news', 'a');
  io.emit('news', 'a');
  const answers: Promise<boolean[]> = chat.emitWithAck('sure', '?');
  void [answers, chat.fetchSockets().then(([first]) => first?.data.name.trim())];
  // @ts-expect-error -- the server has no such event
  chat.emit('sayd', 'a', 'b');
  // @ts-expect-error -- a string
  chat.to('room').emit('said', 1, 'b');
  // @ts-expect-error -- nor in the namespace /
  io.emit('olds', 'a');
  // @ts-expect-error -- nor in its rooms
  io.to('room').emit('olds', 'a');
  // @ts-expect-error -- this event asks nothing
  void chat.emitWithAck('said', 'a', 'b');
  // @ts-expect-error -- nor is there one
  void io.emitWithAck('sure', '?');
  chat.on('connection', socket => {
    socket.emit('said', socket.data.name, '');
    socket.on('say', (text, { room }, answer) => answer({ delivered: text === room }));
    // @ts-expect-error -- clients have no such event
    socket.on('sya', () => {});
  });

  // without its slash, by a pattern, by a name that the compiler does not know, by a function
  sure<Equal<ReturnType<typeof byName>, RoutedNamespace<'/chat'>>>();
  const room: RoutedNamespace<'/room-{id}'> = io
    .of('/room-{id}')
    .route('enter', controller.enter)
    .route('enter', () => 1);
  io.of('/room-7').emit('entered', 'a');
  io.of(`/room-${app.config.env}`).emit('entered', 'a');
  const name: string = app.config.env;
  io.of(name)
    .route('any', () => 1)
    .emit('any', 1);
  io.of(/^\/any-/, socket => socket.emit('any', 1)).emit('any', 1);
  io.of((_name, _auth, next) => next(null, true)).emit('any', 1);
  io.of('/chat', socket => socket.emit('said', socket.data.name, ''));
  // @ts-expect-error -- there is no such namespace
  io.of('/caht');
  // @ts-expect-error -- nor with an event
  io.of('/caht').route('say', controller.say);
  // @ts-expect-error -- a namespace that a pattern fits has the pattern's events
  io.of('/room-7').emit('said');
  // @ts-expect-error -- nor does the pattern's namespace have others
  room.route('say', () => 1);

  // the namespace / exists anyhow; here its events of clients are not declared
  io.route('ping', () => 1)
    .route('pong', io.controller.chat.pong)
    .route('ping', controller.news);
  const server: Server = io;
  const untyped: SpecificHandler = controller.wrong;
  io.route('any', untyped);
  server.routeUnmatched(({ packet }) => packet[0]);
};

const byName = (app: Application) => app.io.of('chat');

/** A contract has its own types, also for a namespace with declared events. */
const contract = defineContract({ namespace: '/chat', client: { vote: { args: [z.number()], ack: z.string() } }, server: { voted: {} } });
export const withContract = (app: Application): void => {
  app.io
    .of(contract)
    .route('vote', ({ args: [count] }) => count.toFixed())
    .emit('voted');
  // @ts-expect-error -- an event of the declared ones
  app.io.of(contract).emit('said');
};

export const typed: Handler<'/chat', 'say'> = ({ args: [text] }) => ({ delivered: text !== '' });
// @ts-expect-error -- not what is declared
export const mistyped: Handler<'/chat', 'say'> = () => 1;

/** In the order of Socket.IO. */
export const parameters = (
  server: Server<FromClients, FromServer, DefaultEventsMap, { id: number }>,
  socket: Socket<FromClients, FromServer, DefaultEventsMap, { id: number }>,
): void => {
  socket.emit('said', socket.remoteAddress, socket.data.id.toFixed());
  server.emit('left');
  server.on('connection', other => void [other.data.id.toFixed(), other.on('note', text => text.trim())]);
  // @ts-expect-error -- the server has no such event
  socket.emit('say');
  // @ts-expect-error -- nor does the whole one
  server.emit('say');
  // @ts-expect-error -- clients have no such event
  socket.on('said', () => {});
  // @ts-expect-error -- a number
  socket.data.id = '1';
};

export const agent = ({ io }: Agent): void => {
  io.of('/chat').to('room').emit('said', 'a', 'b');
  // @ts-expect-error -- the server has no such event
  io.of('/chat').to('room').emit('sayd');
};

export const presence = ({ io }: Application, { socket }: Context): void => {
  const room = io.of('/chat').presence('room:7');
  room.set(socket, { name: 'Anna', status: 'away' });
  // @ts-expect-error -- no such status
  room.set(socket, { name: 'Anna', status: 'gone' });
  // @ts-expect-error -- without a name
  room.set(socket, {});
  // @ts-expect-error -- of a socket
  room.set('anna', { name: 'Anna' });
  const names: (string | undefined)[] = room.list().map(({ meta }) => meta?.name);
  const isHere: boolean = room.has(7) || names.length === room.count();
  void isHere;
};

export const onPresence = ({ joined, left, count, room }: PresenceChange): void => {
  const statuses = joined.map(({ meta }) => meta?.status);
  sure<Equal<typeof statuses, ('here' | 'away' | undefined)[]>>();
  // @ts-expect-error -- of those who have left only the id is told
  left.map(({ meta }) => meta);
  void [room.length, count.toFixed()];
};

/** The official client takes the same declarations. */
export const client = async (socket: ClientSocket<FromServer, FromClients>): Promise<void> => {
  const { delivered } = await socket.emitWithAck('say', 'hello', { room: 'a' });
  sure<Equal<typeof delivered, boolean>>();
  const count: number = unwrap(await socket.emitWithAck('ask', '?'));
  socket.on('said', (name, text) => [name.trim(), text.trim(), count]);
  // @ts-expect-error -- the server has no such event
  socket.emit('sya');
};
