/** The ways in which workers work together with Redis; those without are in test/cluster.test.ts, since Egg has a part in them. */
import { ALONE, STICKY, testModes } from '../support/cluster-modes';

testModes({
  'one worker and Redis': {
    options: { workers: 1 },
    config: 'redis: { port: 6379 }',
    log: /\[egg-socket\.io\] one worker takes all requests; broadcasts go through the adapter redis$/m,
    polls: true,
    broadcasts: true,
  },
  'two workers and Redis': {
    options: { workers: 2 },
    config: 'redis: { port: 6379 }',
    log: /worker 2: any worker takes the requests of any client; broadcasts go through the adapter redis$/m,
    polls: true,
    broadcasts: true,
  },
  'two workers, sticky, and Redis': {
    options: { workers: 2, sticky: true },
    config: 'redis: { port: 6379 }',
    log: new RegExp(`worker 2: ${STICKY}; broadcasts go through the adapter redis$`, 'm'),
    polls: true,
    broadcasts: true,
  },
  'two workers, with cluster off and Redis': {
    options: { workers: 2 },
    config: 'cluster: false, redis: { port: 6379 }',
    log: new RegExp(`worker 2: ${ALONE}; broadcasts go through the adapter redis$`, 'm'),
    polls: false,
    broadcasts: true,
  },
});
