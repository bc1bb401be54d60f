/**
 * `npm run soak`: first benchmark/soak.mjs, which looks for leaks and takes the options; then benchmark/soak-faults.mjs, which kills Redis and
 * workers while clients talk; then the test of presence that kills workers at random, with 100 rounds in place of 3.
 *
 * npm run soak -- --rounds 300                   more rounds of presence
 * npm run soak -- --rounds 0                     none
 * npm run soak -- --faults 20                    more faults than 5 of each kind
 * npm run soak -- --minutes 60 --rounds 0        for an hour, and faults for an hour, without presence
 * npm run soak -- --packets 10000 --cycles 500   the other options are those of benchmark/soak.mjs
 */
import { heading, runs } from './check.mjs';

const args = process.argv.slice(2);
const rounds = take('--rounds') ?? '100';
const faults = take('--faults') ?? '5';
const minutes = take('--minutes') ?? '0';
if (!runs(process.execPath, ['benchmark/soak.mjs', '--minutes', minutes, ...args])) process.exit(1);
heading('faults of Redis and of workers');
if (!runs(process.execPath, ['benchmark/soak-faults.mjs', '--faults', faults, '--minutes', minutes])) process.exit(1);
if (rounds === '0') process.exit();
heading(`presence: ${rounds} rounds`);
const env = { ...process.env, PRESENCE_ROUNDS: rounds };
if (!runs(process.execPath, ['scripts/unit.mjs', 'presence-cluster'], { env })) process.exitCode = 1;

/** Removes an option that is not of benchmark/soak.mjs alone. */
function take(name) {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
}
