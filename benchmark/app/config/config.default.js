'use strict';

const { BENCH_REDIS, BENCH_ADAPTER, BENCH_INTEROP, BENCH_RECOVERY, BENCH_HISTORY } = process.env;

module.exports = ({ baseDir }) => ({
  keys: 'benchmark',
  logger: { dir: `${baseDir}/logs` },
  rundir: `${baseDir}/run`,
  cluster: { listen: { hostname: '127.0.0.1' } },
  io: {
    ...(BENCH_RECOVERY && { init: { connectionStateRecovery: {} } }),
    ...(BENCH_REDIS && { redis: { host: '127.0.0.1', port: Number(BENCH_REDIS) } }),
    ...(BENCH_ADAPTER && { adapter: BENCH_INTEROP ? { name: BENCH_ADAPTER, interop: BENCH_INTEROP === 'true' } : BENCH_ADAPTER }),
    limits: {
      handshakes: false, // the generator opens its clients as fast as it can, and they do not come again
      events: { perSecond: 1_000_000, burst: 1_000_000 }, // a client of the benchmark sends more than those of an app; it is counted all the same
    },
    namespace: {
      '/': { packetMiddleware: ['pass'], ...(BENCH_HISTORY && { history: { room: {} } }) },
      '/guarded': { connectionMiddleware: ['guard'] },
      '/waiting': { connectionMiddleware: ['pass'] },
      '/chain-0': {},
      '/chain-1': { packetMiddleware: ['pass'] },
      '/chain-5': { packetMiddleware: ['pass', 'pass', 'pass', 'pass', 'pass'] },
    },
  },
});
