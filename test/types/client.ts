/** `send()` of the client, typed by a contract, by the events of the official client, or not at all. Compiled, never run. */
import { createSend, history } from 'egg-socket.io/client';
import { type ClientSocket, defineContract } from 'egg-socket.io/contract';
import type { Socket } from 'socket.io-client';
import { z } from 'zod';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const sure = <T extends true>(value?: T): T | undefined => value;

const shop = defineContract({
  namespace: '/shop',
  client: { pay: { args: [z.object({ order: z.string() })], ack: z.object({ paid: z.boolean() }) }, note: { args: [z.string()] } },
});

export async function ofContract(socket: ClientSocket<typeof shop>): Promise<void> {
  const send = createSend(socket, { timeout: 1000, ackTimeout: 100, limit: 10 });
  const answer = await send('pay', { order: 'a' });
  sure<Equal<typeof answer, { paid: boolean }>>();
  await send('note', 'text');
  // @ts-expect-error -- the contract has no such event
  await send('buy');
  // @ts-expect-error -- the order is missing
  await send('pay');
  // @ts-expect-error -- it is a text
  await send('note', 7);
}

export function historyOfContract(socket: ClientSocket<typeof shop>): void {
  history(socket, { onGap: room => room.length });
}

export async function ofAny(socket: Socket): Promise<void> {
  const answer = await createSend(socket)('anything', 1, 'two');
  sure<Equal<typeof answer, unknown>>();
}

interface Heard {
  said: (text: string) => void;
}

interface Sent {
  say: (text: string, ack: (answer: { delivered: boolean }) => void) => void;
}

export async function ofInterfaces(socket: Socket<Heard, Sent>): Promise<void> {
  const send = createSend(socket);
  const answer = await send('say', 'hello');
  sure<Equal<typeof answer, { delivered: boolean }>>();
  // @ts-expect-error -- there is no such event
  await send('shout', 'hello');
}
