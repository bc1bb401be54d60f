/** `config.io`. Compiled, never run. */
import type { IncomingMessage } from 'node:http';
import type { Application, EggAppConfig, PowerPartial } from 'egg';
import { type IoConfig, IoError } from 'egg-socket.io';

export const everything: IoConfig = {
  init: {
    path: '/socket.io',
    cors: { origin: ['https://example.com', /\.example\.com$/], credentials: true },
    allowEIO3: false,
    connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
    pingInterval: 10_000,
    transports: ['websocket', 'polling'],
    wsEngine: 'uws',
  },
  namespace: {
    '/': { connectionMiddleware: ['auth'], packetMiddleware: ['filter', 'admin.filter'] },
    '/room-{id}': {
      ordered: true,
      userLimits: { connections: 10, whenFull: 'refuse', events: 100, burst: 200 },
      presence: { '*': {}, lobby: { grace: 0 } },
    },
    chat: { onerror: async (error, { logger }) => logger.info(error.message) },
  },
  redis: { host: '127.0.0.1', port: 6379, auth_pass: 'secret', db: 1, key: 'chat', requestsTimeout: 1000, tls: {} },
  generateId: async (request: IncomingMessage) => String(request.headers['x-id']),
  onerror: (error, ctx) => (error.name === 'Conflict' ? new IoError('CONFLICT', error.message, { details: ctx.packet[0] }) : undefined),
};

export const adapters: IoConfig[] = [
  { adapter: 'redis', redis: 'redis://127.0.0.1' },
  { adapter: { name: 'redis-streams', maxLen: 1000 }, redis: { nodes: [{ host: '10.0.0.1', port: 6379 }], password: 'secret' } },
  { adapter: 'redis-sharded', redis: { use: 'io', key: 'chat' } },
  { adapter: { name: 'postgres', connection: 'postgres://127.0.0.1' } },
  { redis: true },
  { redis: { name: 'main', sentinels: [{ host: '10.0.0.1', port: 26379 }] } },
  { adapter: nsp => nsp.adapter },
];

export default (): PowerPartial<EggAppConfig> => ({ io: { namespace: { '/chat': { packetMiddleware: ['filter'] } } } });

// @ts-expect-error -- an object
export const wrongKey: PowerPartial<EggAppConfig> = { io: 'on' };

export const read = (app: Application): string | undefined => app.config.io.init?.path;

export const wrong: IoConfig[] = [
  // @ts-expect-error -- an array of names
  { namespace: { '/': { connectionMiddleware: 'auth' } } },
  // @ts-expect-error -- no such kind of middleware
  { namespace: { '/': { middleware: ['auth'] } } },
  // @ts-expect-error -- a boolean
  { namespace: { '/': { ordered: 'yes' } } },
  // @ts-expect-error -- one of two
  { namespace: { '/': { userLimits: { connections: 1, whenFull: 'close' } } } },
  // @ts-expect-error -- no such limit
  { namespace: { '/': { userLimits: { rooms: 1 } } } },
  // @ts-expect-error -- a number of ms
  { namespace: { '/': { presence: { 'room:*': { grace: '5s' } } } } },
  // @ts-expect-error -- by patterns
  { namespace: { '/': { presence: ['room:*'] } } },
  // @ts-expect-error -- an object
  { namespace: ['/'] },
  // @ts-expect-error -- a number
  { redis: { port: '6379' } },
  // @ts-expect-error -- no such adapter
  { adapter: 'redis-stream' },
  // @ts-expect-error -- an option of another adapter
  { adapter: { name: 'redis', maxLen: 1 } },
  // @ts-expect-error -- it needs to know where
  { adapter: { name: 'postgres' } },
  // @ts-expect-error -- a string
  { generateId: () => 1 },
  // @ts-expect-error -- an Error in a promise comes too late
  { onerror: async () => new IoError('LATE', 'too late') },
  // @ts-expect-error -- an Error
  { onerror: () => ({ code: 'OWN', message: 'own' }) },
  // @ts-expect-error -- no such option
  { nsp: {} },
  // @ts-expect-error -- of Socket.IO 2
  { init: { origins: '*:*' } },
];
