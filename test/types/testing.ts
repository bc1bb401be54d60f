/** The clients of tests: any events, or those of a contract. Compiled, never run. */
import type { Application } from 'egg';
import type { Server } from 'egg-socket.io';
import { defineContract } from 'egg-socket.io/contract';
import { ioAt, ioTest, type IoTest, type OpenClient, type TestClient } from 'egg-socket.io/test';
import { z } from 'zod';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): T | undefined => value;

const chat = defineContract({
  namespace: '/chat',
  client: {
    say: { args: [z.string(), z.string().transform(text => new Date(text))], ack: z.object({ delivered: z.boolean() }) },
    note: { args: [z.string(), z.number().optional()] },
    leave: {},
  },
  server: { said: { args: [z.string(), z.number()] }, left: {} },
});
const room = defineContract({ namespace: '/room-{id}', client: { enter: { ack: z.array(z.string()) } } });

export const ofApp = async (): Promise<void> => {
  const { app, io, url, close } = await ioTest({ baseDir: '.', timeout: 1000 });
  const server: Server = app.io;
  app.mockService('clock', 'now', () => 12);
  app.mockCsrf();
  const text: string = url;
  void [server, text, app.config.env, close()];
  const open: OpenClient = io;
  const { app: own }: IoTest<{ httpRequest(): number }> = await ioTest<{ httpRequest(): number }>();
  const count: number = own.httpRequest();
  // @ts-expect-error -- not a number of workers
  void ioTest({ workers: 'two' });
  void [open, count];
};

export const anyEvents = async (io: OpenClient, { config }: Application): Promise<void> => {
  for (const alice of [await io(), await io('/chat', { auth: { token: 'a' }, session: { user: 1 } }), await io(config.env)]) {
    sure<Equal<typeof alice, TestClient>>();
    const answer = await alice.call('anything', 1, { any: true });
    const [first] = await alice.next('anything');
    const all = await alice.all('anything');
    sure<Equal<typeof answer, unknown>>();
    sure<Equal<typeof first, unknown>>();
    sure<Equal<typeof all, unknown[][]>>();
    alice.send('anything');
    alice.socket.emit('anything');
    const reason: string = await alice.gone();
    const refused: { code: string; message: string; details?: unknown } | undefined = alice.refused;
    void [reason, refused, alice.connected, alice.id];
  }
  // @ts-expect-error -- no such option
  void io('/', { sesion: {} });
};

export const ofContract = async (): Promise<void> => {
  const io = ioAt('http://127.0.0.1:7001', { timeout: 1000 });
  const alice: TestClient<typeof chat> = await io(chat, { auth: { token: 'a' } });
  const answer = await alice.call('say', 'hello', '2026-01-01');
  sure<Equal<typeof answer, { delivered: boolean }>>();
  const said = await alice.next('said');
  const all = await alice.all('said');
  sure<Equal<typeof said, [string, number]>>();
  sure<Equal<typeof all, [string, number][]>>();
  alice.send('note', 'a');
  alice.send('note', 'a', 1);
  alice.send('leave');
  // @ts-expect-error -- the contract has no such event
  void alice.call('sya', 'hello');
  // @ts-expect-error -- clients send what the schema takes, not what it makes of it
  void alice.call('say', 'hello', new Date());
  // @ts-expect-error -- an argument is missing
  void alice.call('say', 'hello');
  // @ts-expect-error -- a number
  alice.send('note', 'a', 'b');
  // @ts-expect-error -- the server has no such event
  void alice.next('sayd');
  // @ts-expect-error -- nor this one, which is of clients
  void alice.all('say');
  const members: string[] = await (await io(room, { namespace: '/room-7' })).call('enter');
  void members;
};
