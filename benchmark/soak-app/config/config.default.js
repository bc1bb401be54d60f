const { join } = require('node:path');

const { SOAK_DIR, SOAK_REDIS } = process.env;

let connections = 0;

/** Of a cluster. */
const withRedis = {
  redis: { host: '127.0.0.1', port: Number(SOAK_REDIS) },
  init: {
    connectionStateRecovery: { maxDisconnectionDuration: 5000 }, // what is kept for clients is to be gone when it is looked at
    // when a worker is killed, Node's primary may keep a connection that was on its way there: the client notices by the heartbeat that is missing
    pingInterval: 2000,
    pingTimeout: 3000,
  },
};

module.exports = () => ({
  keys: 'soak',
  rundir: join(SOAK_DIR, 'run'),
  logger: { dir: join(SOAK_DIR, 'logs'), buffer: false },
  cluster: { listen: { hostname: '127.0.0.1' } },
  io: {
    ...(SOAK_REDIS && withRedis),
    limits: { handshakes: 100_000 }, // more clients come in a second than the default allows; all other limits hold
    generateId: () => `soak-${process.pid}-${++connections}`,
    namespace: {
      '/': { connectionMiddleware: ['member'], packetMiddleware: ['timer', 'filter'] },
      '/closed': { connectionMiddleware: ['closed'] },
      '/pending': { connectionMiddleware: ['pending'] },
    },
  },
});
