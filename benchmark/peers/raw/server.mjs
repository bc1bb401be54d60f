/** Socket.IO as it is. With BENCH_PLUGIN: with the WebSocket engine of this plugin, and nothing else of it. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { Server } from 'socket.io';
import { z } from 'zod';
import { serve } from '../../serve.mjs';

const require = createRequire(import.meta.url);
const plugin = process.env.BENCH_PLUGIN;

const server = createServer();
const io = new Server(server, {
  serveClient: false,
  ...(plugin !== undefined && { wsEngine: require(`${plugin}/dist/handshake/corked-websocket.js`).CorkedWebSocketServer }),
});

for (const [namespace, middleware] of Object.entries({ '/': 0, '/guarded': 0, '/waiting': 0, '/chain-0': 0, '/chain-1': 1, '/chain-5': 5 }))
  io.of(namespace).on('connection', socket => {
    for (let i = 0; i < middleware; i++) socket.use((packet, next) => next());
    socket.on('echo', (message, ack) => ack(message));
    socket.on('one-way', () => void globalThis.received++);
    socket.on('enter', ack => {
      void socket.join('room');
      ack(true);
    });
    socket.on('to-room', message => io.of(namespace).to('room').emit('news', message));
    socket.on('to-others', message => socket.to('room').emit('news', message));
    socket.on('shout', message => io.of(namespace).emit('news', message));
  });

const Message = z.object({ a: z.number(), text: z.string() });
io.of('/contract').on('connection', socket => {
  socket.on('echo', (message, ack) => ack(Message.parse(message)));
});

await serve(server, { 'socket.io': require('socket.io/package.json').version });
