'use strict';

module.exports = ({ baseDir }) => ({
  keys: 'benchmark',
  logger: { dir: `${baseDir}/logs` },
  rundir: `${baseDir}/run`,
  io: {
    namespace: {
      '/': { packetMiddleware: ['pass'] },
      '/guarded': { connectionMiddleware: ['guard'] },
      '/chain-0': {},
      '/chain-1': { packetMiddleware: ['pass'] },
      '/chain-5': { packetMiddleware: ['pass', 'pass', 'pass', 'pass', 'pass'] },
    },
  },
});
