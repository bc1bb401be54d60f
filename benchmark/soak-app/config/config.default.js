const { join } = require('node:path');

let connections = 0;

module.exports = () => ({
  keys: 'soak',
  rundir: join(process.env.SOAK_DIR, 'run'),
  logger: { dir: join(process.env.SOAK_DIR, 'logs'), buffer: false },
  io: {
    generateId: () => `soak-${++connections}`,
    namespace: {
      '/': { connectionMiddleware: ['member'], packetMiddleware: ['timer', 'filter'] },
      '/closed': { connectionMiddleware: ['closed'] },
      '/pending': { connectionMiddleware: ['pending'] },
    },
  },
});
