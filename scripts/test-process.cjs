/**
 * Loaded before a test file: gives each test a time-out, at which what it still waits for is printed, keeps for this process what is meant for it
 * alone, and says what it has cost.
 */
const { channel } = require('node:diagnostics_channel');
const { readFileSync } = require('node:fs');
const nodeTest = require('node:test');
const { runInThisContext } = require('node:vm');
const { isMainThread } = require('node:worker_threads');

/** Time-outs only end what hangs. With CI=true they are twice as long, since other work may run on the same machine. */
const FACTOR = process.env.CI === 'true' ? 2 : 1;
/** In ms, of a test that sets none. Its subtests inherit it. Node 20 has no option for that. */
const TIMEOUT = Number(process.env.TEST_TIMEOUT ?? 30_000 * FACTOR);
const CALLER = '(test, ...args) => ';
/** In ms before the time-out. */
const LAST = 100;
/** test/support/waits.ts prints then what is waited for. */
const timeIsOut = channel('test-time-out');
const { setTimeout, clearTimeout } = globalThis; // not those of a test that has the clock in its hands
const { after, test } = nodeTest;

nodeTest.test = Object.assign(function (name, options, run = options) {
  const given = typeof options === 'object' ? options : {};
  const timeout = given.timeout ? given.timeout * FACTOR : TIMEOUT;
  return callFrom(callerOf(nodeTest.test))(test, name, { ...given, timeout }, watched(run, timeout));
}, test);

if (isMainThread) {
  after(endSoon); // of the whole file
  if (process.platform === 'linux') process.once('exit', sayCost);
}

// what is forked would take over these options, and write its report over that of this process
process.execArgv = [];
// coverage is that of test processes and of the doctor's: the reports of all that they start are gigabytes, and name hardly a line more
process.env.COVERAGE_OF_COMMANDS = process.env.NODE_V8_COVERAGE ?? '';
delete process.env.NODE_V8_COVERAGE;

/** The test, which prints what it waits for shortly before its time is out: the time-out itself names the test only. */
function watched(run, timeout) {
  if (typeof run !== 'function' || run.length > 1) return run; // with a callback
  return function (t) {
    const timer = setTimeout(() => timeIsOut.publish(), timeout - LAST).unref();
    t.signal.addEventListener('abort', () => clearTimeout(timer)); // it has ended
    return run.call(this, t);
  };
}

/** What a test has left running would keep the process for ever. */
function endSoon() {
  const timer = setTimeout(() => {
    const left = [...new Set(process.getActiveResourcesInfo())].join(', ');
    console.error(`Something is left behind: the process has not ended ${TIMEOUT} ms after its last test (${left}).`);
    process.exit(1);
  }, TIMEOUT);
  timer.unref();
}

/** The time of a processor that this process has taken, and those that it has started and that have ended. It counts in hundredths of a second. */
function sayCost() {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third one on, see proc(5)
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  console.log(`processor: ${(ticks / 100).toFixed(1)} s`);
}

/** Node reports the place that has called `test` as the place of the test: the call is compiled as if it stood there. */
function callFrom({ filename, line, column }) {
  return runInThisContext(`${CALLER}test(...args)`, { filename, lineOffset: line - 1, columnOffset: column - 1 - CALLER.length });
}

function callerOf(callee) {
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = (_, [site]) => site;
  const error = {};
  Error.captureStackTrace(error, callee);
  const site = error.stack;
  Error.prepareStackTrace = prepareStackTrace;
  return { filename: site.getFileName(), line: site.getLineNumber(), column: site.getColumnNumber() };
}
