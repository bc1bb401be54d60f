/**
 * Compiles and runs the tests.
 *
 * `test/*.test.ts` run on every host. `test/once/*.test.ts` do not depend on one: they run once, on this Node.
 *
 * npm run test:unit                              all of them, on every host
 * npm run test:unit -- packet session            the files whose names contain one of the words
 * npm run test:unit -- packet --host egg3        on one host: egg3, egg4 or egg41
 * npm run test:unit -- packet --node 24          on another Node: 22 or 24
 * npm run test:unit -- --test-name-pattern=ack   what else begins with -- goes to `node --test`
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { heading, runs } from './check.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REPORT = join(ROOT, '.build/report.tap');

/** What runs on egg 4.1, a beta: it has to load the plugin and to answer, but is not held to everything yet. */
const EGG41_FILES = ['packet.test.ts', 'module-scope.test.ts'];
const EGG41_NODE = 24;

/** Runs the compiled tests and counts them in `total`. */
export function runSuite(total, { words = [], hosts = ['egg4', 'egg3', 'egg41'], node, options = [] } = {}) {
  const add = (name, files, host, version) => {
    if (files.length === 0) return;
    const title = `${name}, Node ${version ?? process.versions.node}`;
    heading(title);
    total.add(title, run(files, host, version, options));
  };
  if (node === undefined) add('tests that need no host', filesIn('test/once', words), 'egg4');
  for (const host of hosts) {
    if (host !== 'egg41') add(`tests on ${host}`, filesIn('test', words), host, node);
    else {
      const files = filesIn('test', words).filter(file => hosts.length === 1 || EGG41_FILES.includes(basename(file)));
      const problem = whyNotEgg41(node);
      if (!problem) add('tests on egg41', files, host, node ?? EGG41_NODE);
      else if (files.length > 0) heading(`tests on egg41 are skipped (${files.map(file => basename(file)).join(', ')}): ${problem}`);
    }
  }
}

function filesIn(folder, words) {
  return readdirSync(join(ROOT, folder))
    .filter(name => name.endsWith('.test.ts') && (words.length === 0 || words.some(word => name.includes(word))))
    .map(name => join(folder, name));
}

/** Egg 4.1 needs a Node that not everybody has; it runs on the one in test/nodes, where there is one. */
function whyNotEgg41(node) {
  if (node !== undefined && Number(node) !== EGG41_NODE) return `they run on Node ${EGG41_NODE}`;
  if (existsSync(binaryOf(EGG41_NODE))) return undefined;
  return `test/nodes has no Node ${EGG41_NODE} for ${process.platform} on ${process.arch}`;
}

/** What has passed and what has not, over all that ran. */
export class Total {
  passed = 0;
  failed = 0;
  skipped = 0;
  #failures = [];

  add(title, { passed = 0, failed = 0, skipped = 0, failures = [] }) {
    this.passed += passed;
    this.failed += failed;
    this.skipped += skipped;
    if (failed > 0) this.#failures.push(`${title}\n${failures.join('\n')}`);
  }

  /** The end of the output: each failure with its reason, so that nobody has to look for it, then `N passed, N failed`. */
  toString() {
    const failures = this.#failures.map(text => `\n== failed: ${text}\n`).join('');
    return `${failures}\n${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ''}`;
  }
}

function binaryOf(version) {
  return version === undefined ? process.execPath : join(ROOT, `test/nodes/node_modules/node-${version}/bin/node`);
}

function run(files, host, version, options) {
  const major = Number(version ?? process.versions.node.split('.')[0]);
  rmSync(REPORT, { force: true });
  const { status, error } = spawnSync(
    binaryOf(version),
    [
      '--enable-source-maps',
      '--test',
      '--test-concurrency=2',
      // nothing hangs: Node 20 takes this as the time of a whole file, later versions as that of one test
      `--test-timeout=${major < 22 ? 300_000 : 60_000}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      '--test-reporter=tap',
      `--test-reporter-destination=${REPORT}`,
      ...options,
      ...files.map(file => join('.build', file.replace(/\.ts$/, '.js'))),
    ],
    { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, EGG_HOST: host } },
  );
  if (error) throw error;
  return count(status);
}

/** The totals at the end of the report, and its failures. A runner that did not come to its end has failed, too. */
function count(status) {
  const report = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : '';
  const total = name => Number(report.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0);
  const failed = total('fail') + total('cancelled');
  const failures = report.match(/^ *not ok [^]*?^ *\.\.\.$/gm) ?? [];
  const isBroken = failed === 0 && status !== 0;
  if (isBroken) failures.push(`the runner has ended with ${status}, and has not said why`);
  return { passed: total('pass'), failed: isBroken ? 1 : failed, skipped: total('skipped'), failures };
}

function main(args) {
  const words = [];
  const hosts = [];
  const nodes = [];
  const options = [];
  for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
    if (arg === '--host') hosts.push(args.shift());
    else if (arg === '--node') nodes.push(args.shift());
    else if (arg.startsWith('--')) options.push(arg);
    else words.push(arg);
  }
  if (!runs('npm', ['run', '--silent', 'types'])) return false;
  const total = new Total();
  for (const node of nodes.length > 0 ? nodes : [undefined]) runSuite(total, { words, node, options, ...(hosts.length > 0 && { hosts }) });
  console.log(String(total));
  return total.passed > 0 && total.failed === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !main(process.argv.slice(2))) process.exitCode = 1;
