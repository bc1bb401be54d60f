import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { Server } from 'socket.io';
import { SocketControllers } from 'socket-controllers';
import { Container } from 'typedi';
import { serve } from '../../serve.mjs';
import { controllers } from './dist/app.js';

const require = createRequire(import.meta.url);

const server = createServer();
const io = new Server(server, { serveClient: false });
// oxlint-disable-next-line no-new -- this is how it is used
new SocketControllers({ io, container: Container, controllers });
await serve(server, {
  'socket-controllers': require('socket-controllers/package.json').version,
  'socket.io': require('socket.io/package.json').version,
});
