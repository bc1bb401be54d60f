/**
 * Connection state recovery in every set-up: each way to lose a connection, at each moment, with each repetition. What is promised is a table;
 * besides, nothing is lost in silence, nothing comes twice, the order holds, and no connection stays behind.
 */
import { describe, test } from 'node:test';
import { setTimeout as passes } from 'node:timers/promises';
import { cellsOf, SET_UPS, type Way } from '../support/recovery-promises';
import { type Door, KEPT, startSite } from '../support/recovery-site';
import { Traveller } from '../support/recovery-traveller';
import { until } from '../support/until';

/** The time that a client may take to come back, in ms, which includes a heartbeat where nobody takes over its former connection. */
const LONGEST = 30_000;

/** The set-ups that are at work at a time. All others wait meanwhile until what is kept is too old: together they would be late for one another. */
const ACTIVE = 2;

let free = ACTIVE;
const waiting: (() => void)[] = [];

async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (free > 0) free--;
  else await new Promise<void>(resolve => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free++;
  }
}

describe('what recovery promises', { concurrency: SET_UPS.length }, () => {
  for (const setUp of SET_UPS) {
    test(`${setUp}: a client is recovered, or knows that it is a new one`, { timeout: 240_000 }, async t => {
      const isQuiet = ({ cell: { moment } }: Traveller): boolean => moment === 'quiet for long';
      const isLost = ({ cell: { way } }: Traveller): boolean => way === 'clean cut' || way === 'vanished leg';
      const loseAndComeBack = async (traveller: Traveller): Promise<void> => {
        await traveller.prepare();
        await traveller.lose();
        await traveller.comeBack();
        await traveller.check();
      };

      const { site, travellers, lastHeard } = await inTurn(async () => {
        const site = await startSite(t, setUp);
        const travellers = await Promise.all(cellsOf(setUp).map(async (cell, index) => Traveller.start(t, cell, index, site)));
        await inParallel(travellers.filter(isQuiet), async traveller => traveller.hear());
        const lastHeard = Date.now();
        await inParallel(
          travellers.filter(one => isLost(one) && !isQuiet(one)),
          loseAndComeBack,
        );
        return { site, travellers, lastHeard };
      });
      await passes(Math.max(0, lastHeard + KEPT - Date.now()), undefined, { signal: t.signal });
      await inTurn(async () => {
        await site.forget();
        await inParallel(
          travellers.filter(one => isLost(one) && isQuiet(one)),
          loseAndComeBack,
        );

        const endServer = async (way: Way, end: () => Promise<Door | void>): Promise<void> => {
          const lost = travellers.filter(({ cell }) => cell.way === way);
          await inParallel(lost, async traveller => traveller.prepare());
          const successor = await end();
          await inParallel(lost, async traveller => {
            traveller.loseServer(successor ?? undefined);
            await traveller.comeBack();
            await traveller.check();
          });
        };
        await endServer('process killed', site.kill);
        await endServer('worker replaced', site.replace);
        // the test's own connection, and those of clients that are still to lose theirs
        const remaining = site.lasting.length + travellers.filter(({ cell: { way } }) => way === 'servers replaced').length;
        await until(t, async () => {
          const counts = await Promise.all(site.lasting.map(async ({ ask }) => ask('connections')));
          return counts.reduce((sum: number, count) => sum + Number(count), 0) === remaining;
        });
        await endServer('servers replaced', site.replaceAll);
      });
    });
  }
});

/** Fails with all that have failed, when all have ended. */
async function inParallel(travellers: readonly Traveller[], action: (traveller: Traveller) => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(travellers.map(async traveller => inTime(traveller, action(traveller))));
  const failures = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(({ message }) => message).join('\n'));
}

/** Names the traveller that does not come to an end. */
async function inTime(traveller: Traveller, work: Promise<void>): Promise<void> {
  const ended = new AbortController();
  const late = passes(LONGEST, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`does not come to an end: ${String(traveller)}`);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    ended.abort();
    await late.catch(() => {}); // aborted
  }
}
