/**
 * `npm run soak`: first benchmark/soak.mjs, which looks for leaks and takes the options; then the test of presence that kills workers at random,
 * with 100 rounds in place of 3.
 *
 * npm run soak -- --rounds 300                   more rounds
 * npm run soak -- --rounds 0                     leaks only
 * npm run soak -- --minutes 60 --rounds 0        for an hour, without presence
 * npm run soak -- --packets 10000 --cycles 500   the other options are those of benchmark/soak.mjs
 */
import { heading, runs } from './check.mjs';

const args = process.argv.slice(2);
const at = args.indexOf('--rounds');
const [, rounds] = at < 0 ? ['', '100'] : args.splice(at, 2);
if (!runs(process.execPath, ['benchmark/soak.mjs', ...args])) process.exit(1);
if (rounds === '0') process.exit();
heading(`presence: ${rounds} rounds`);
const env = { ...process.env, PRESENCE_ROUNDS: rounds };
if (!runs(process.execPath, ['scripts/unit.mjs', 'presence-cluster'], { env })) process.exitCode = 1;
