'use strict';

module.exports = ({ HOME }) => ({
  keys: 'benchmark',
  logger: { consoleLevel: 'ERROR' },
  rundir: `${HOME}/run`,
  io: {
    namespace: {
      '/': { packetMiddleware: ['pass'] },
      '/bare': {},
      '/chain-0': {},
      '/chain-1': { packetMiddleware: ['pass'] },
      '/chain-5': { packetMiddleware: ['pass', 'pass', 'pass', 'pass', 'pass'] },
    },
  },
});
