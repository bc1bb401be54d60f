/** The clients of tests of an app that declares its events. Compiled, never run. */
import { ioTest, type OpenClient, type TestClient } from 'egg-socket.io/test';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): T | undefined => value;

export const declared = async (): Promise<void> => {
  const { io } = await ioTest();
  const alice: TestClient<'/chat'> = await io('/chat');
  sure<Equal<TestClient<'/chat'>, Awaited<ReturnType<typeof withoutSlash>>>>();
  const answer = await alice.call('say', 'hello', { room: 'red' });
  sure<Equal<typeof answer, { delivered: boolean }>>();
  const said = await alice.next('said');
  sure<Equal<typeof said, [name: string, text: string]>>();
  const left: [][] = await alice.all('left');
  alice.send('note', 'a');
  alice.send('note', 'a', true);
  const count: number = await alice.call('maybe', 'a');
  const reply: number = await alice.call('ask', '?'); // an error is thrown
  const found = await alice.call('get', 1);
  if (found.ok) void found.text.length;
  const members: number = await (await io('/room-7')).call('enter');
  const [news]: [string] = await (await io()).next('news');
  void [left, count, reply, members, news, (await io('/')).call('any', 1), (await io('/quiet')).send('hush')];
  // @ts-expect-error -- there is no such namespace
  void io('/caht');
  // @ts-expect-error -- clients have no such event
  void alice.call('sya', 'hello');
  // @ts-expect-error -- an argument is missing
  void alice.call('say', 'hello');
  // @ts-expect-error -- a string
  alice.send('note', 1);
  // @ts-expect-error -- the server has no such event
  void alice.next('sayd');
};

const withoutSlash = async (io: OpenClient) => io('chat');
