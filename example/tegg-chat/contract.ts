/** What travels between the page and the server: the methods of the class have to fit it, and what clients send is checked by it. */
import { defineContract } from 'egg-socket.io/contract';
import * as v from 'valibot';

const name = v.pipe(v.string(), v.trim(), v.minLength(1, 'Please enter a name'), v.maxLength(20));
const text = v.pipe(v.string(), v.trim(), v.minLength(1, 'Please write something first'), v.maxLength(500));

const message = v.object({ id: v.number(), from: v.string(), text: v.string() });

export const chat = defineContract({
  namespace: '/chat',
  client: {
    join: { args: [name], ack: v.array(message) },
    say: { args: [name, text], ack: message },
    'room:list': { ack: v.array(v.string()) },
  },
  server: {
    message: { args: [name, message] },
    left: { args: [v.string()] },
    announcement: { args: [v.string()] },
  },
});

export type Message = v.InferOutput<typeof message>;
