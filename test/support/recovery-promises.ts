/** What connection state recovery promises: for each way to lose a connection, and for each set-up. docs/reliability.md has the same table. */

export const WAYS = ['clean cut', 'vanished leg', 'process killed', 'worker replaced', 'servers replaced'] as const;
export type Way = (typeof WAYS)[number];

export const MOMENTS = ['event just now', 'none yet', 'quiet for long'] as const;
export type Moment = (typeof MOMENTS)[number];

export const REPETITIONS = ['once', 'twice', 'while middleware runs', 'after middleware that failed once'] as const;
export type Repetition = (typeof REPETITIONS)[number];

export const SET_UPS = ['memory', 'hub', 'redis', 'redis-sharded', 'redis-streams', 'postgres'] as const;
export type SetUp = (typeof SET_UPS)[number];

/** The moments at which a client that is lost in this way is recovered. At all others it is a new client, and knows it. */
type Recovered = 'always' | 'never' | 'after an event that is kept';

export const PROMISES: Record<Way, Record<SetUp, Recovered>> = {
  'clean cut': {
    ...{ memory: 'always', hub: 'always' },
    ...{ redis: 'always', 'redis-sharded': 'always', 'redis-streams': 'after an event that is kept', postgres: 'always' },
  },
  'vanished leg': {
    ...{ memory: 'always', hub: 'always' },
    ...{ redis: 'always', 'redis-sharded': 'always', 'redis-streams': 'never', postgres: 'always' },
  },
  'process killed': {
    ...{ memory: 'never', hub: 'never' },
    ...{ redis: 'never', 'redis-sharded': 'never', 'redis-streams': 'never', postgres: 'never' },
  },
  'worker replaced': {
    ...{ memory: 'never', hub: 'always' },
    ...{ redis: 'always', 'redis-sharded': 'always', 'redis-streams': 'after an event that is kept', postgres: 'always' },
  },
  'servers replaced': {
    ...{ memory: 'never', hub: 'never' },
    ...{ redis: 'always', 'redis-sharded': 'always', 'redis-streams': 'after an event that is kept', postgres: 'always' },
  },
};

export interface Cell {
  readonly way: Way;
  readonly moment: Moment;
  readonly repetition: Repetition;
  readonly isRecovered: boolean;
}

/** The cells of a set-up. */
export function cellsOf(setUp: SetUp): Cell[] {
  return WAYS.flatMap(way => {
    const promise = PROMISES[way][setUp];
    return MOMENTS.flatMap(moment => {
      const isRecovered = promise === 'always' || (promise !== 'never' && moment === 'event just now');
      return REPETITIONS.map(repetition => ({ way, moment, repetition, isRecovered }));
    });
  });
}
