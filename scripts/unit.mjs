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
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { heading, runs } from './check.mjs';
import { runAll, Total } from './queue.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REPORTS = join(ROOT, '.build/reports');
/** Compiled code of packages, for Node 22 and later: a start of Egg's processes costs less. With it, coverage would be less exact. */
const COMPILE_CACHE = join(ROOT, '.build/compile-cache');

/** What takes longest, in seconds beside others, as the output says: it begins first. Some of it only waits, beside which others run. */
const WEIGHTS = {
  ...{ faults: 170, conformance: 105, benchmark: 90, docs: 85, example: 85, 'recovery-matrix': 80 },
  ...{ 'redis-streams': 60, 'redis-refusals': 60, hub: 55, doctor: 55, redis: 50, move: 45, 'postgres-refusals': 45, proxies: 40 },
  ...{ cluster: 40, origin: 35, cost: 30, memory: 30, 'cluster-faults': 35, 'rolling-restart': 35, acl: 30, agent: 30, abuse: 30 },
  ...{ 'session-routing': 30, 'once-cluster': 30, pack: 30, 'single-process': 30, 'mini-program': 30, 'mini-package': 25 },
  ...{ 'tracing-servers': 25, outcomes: 25, drain: 25, 'opentelemetry-sdk': 20, 'cluster-routing': 20, 'egg-scripts': 20 },
  ...{ 'presence-servers': 20, pm2: 20, backlog: 20 },
};

/** What starts several processes or programs other than Node, by what test files import; and files that install or compile. */
const NOT_QUICK = /'\.\.?\/support\/(browser|bundlers|cluster|cluster-modes|example|nginx|page|postgres|redis|reverse-proxy|tls)'/;
const NOT_QUICK_FILES = [
  'abuse',
  'asyncapi',
  'benchmark',
  'contract-documents',
  'doctor',
  'mutants',
  'pack',
  'recovery-matrix',
  'single-process',
  'soak',
  'soak-faults',
  'soak-leak',
  'start',
  'system',
  'test-kit',
  'test-runners',
  'ts-helper',
];

/**
 * What runs where. `npm test` runs every file on this Node: those of `test` on egg 3 and on egg 4, those of `test/once` once. With CI=true
 * Node 24 is there as well, and takes over one of the two hosts where a file depends on Node: so each runs on both hosts and on both Nodes,
 * but not with each pair of them. `npm run test:nodes` runs each pair.
 *
 * |                                        | egg 4     | egg 3     |
 * | -------------------------------------- | --------- | --------- |
 * | processes                              | Node 24   | this Node |
 * | HTTP, sockets, WebSockets and sessions | this Node | Node 24   |
 * | all others                             | this Node | this Node |
 *
 * Besides, Node 24 runs what is in `ALSO_ON_24`: async contexts, which Node 24 keeps in another way, listeners and time-outs on egg 4, clusters
 * of egg 3, what is forked without Egg, OpenTelemetry's SDKs, and what is counted of memory.
 */
const PROCESSES = ['agent', 'cluster', 'cluster-faults', 'egg-scripts', 'session-routing', 'single-process'];
const CONNECTIONS = ['clients', 'connection', 'hostile', 'message-size', 'packet', 'recovery', 'session', 'shutdown', 'websocket'];
const MOVED_TO_24 = { egg4: PROCESSES, egg3: CONNECTIONS };
const ALSO_ON_24 = {
  egg4: ['context', 'cost', 'listeners', 'module-scope', 'questions', 'retry', 'router', 'tracing'],
  egg3: ['cluster'],
  once: ['cluster-faults', 'cluster-routing', 'memory', 'opentelemetry-sdk'],
};

/** What runs on egg 4.1, a beta: it has to load the plugin and to answer, but is not held to everything yet. */
const EGG41_FILES = ['doctor', 'packet', 'module-scope', 'tegg', 'test-kit'];
const EGG41_NODE = 24;

/** What one of these lists names must not drop out of it in silence when its file gets another name. */
const NAMES = new Set(['test', 'test/once'].flatMap(folder => filesIn(folder).map(nameOf)));
for (const name of [
  ...Object.keys(WEIGHTS),
  ...NOT_QUICK_FILES,
  ...Object.values(MOVED_TO_24).flat(),
  ...Object.values(ALSO_ON_24).flat(),
  ...EGG41_FILES,
])
  if (!NAMES.has(name)) throw new Error(`scripts/unit.mjs names ${name}, and there is no ${name}.test.ts`);

/** The compiled tests as tasks of a queue. */
export function testTasks({ words = [], hosts = ['egg4', 'egg3', 'egg41'], once, node, options = [], env, filter = () => true } = {}) {
  const files = (folder, host) => filesIn(folder, words).filter(file => filter(file, host));
  const tasks = (list, host, version) => list.map(file => testTask(file, host, { version, options, env }));
  return [
    ...((once ?? node === undefined) ? tasks(files('test/once', 'egg4'), 'egg4', node) : []),
    ...hosts.flatMap(host => {
      if (host !== 'egg41') return tasks(files('test', host), host, node);
      const list = files('test', host).filter(file => hosts.length === 1 || EGG41_FILES.includes(nameOf(file)));
      const problem = whyNotEgg41(node);
      if (!problem) return tasks(list, host, node ?? EGG41_NODE);
      if (list.length > 0) heading(`tests on egg41 are skipped (${list.map(nameOf).join(', ')}): ${problem}`);
      return [];
    }),
  ];
}

/** On one host, with no program but Node. */
export function quickTasks() {
  const filter = file => !NOT_QUICK_FILES.includes(nameOf(file)) && !NOT_QUICK.test(readFileSync(join(ROOT, file), 'utf8'));
  return testTasks({ hosts: ['egg4'], filter });
}

/** With CI=true, beside the tests on this Node. */
export function tasksOfNode24() {
  const on24 = (names, options) => testTasks({ node: '24', ...options, filter: file => names.includes(nameOf(file)) });
  return [
    ...Object.entries(MOVED_TO_24).flatMap(([host, names]) => on24([...names, ...ALSO_ON_24[host]], { hosts: [host] })),
    ...on24(ALSO_ON_24.once, { hosts: [], once: true }),
  ];
}

/** With CI=true, whether a file runs on Node 24 in place of this one. */
export function movesToNode24(file, host) {
  return !file.startsWith('test/once') && (MOVED_TO_24[host]?.includes(nameOf(file)) ?? false);
}

function nameOf(file) {
  return basename(file, '.test.ts');
}

function filesIn(folder, words = []) {
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

function binaryOf(version) {
  return version === undefined ? process.execPath : join(ROOT, `test/nodes/node_modules/node-${version}/bin/node`);
}

/** A file is a process of its own. What it reports is shown, and counted. */
function testTask(file, host, { version, options, env }) {
  const name = nameOf(file);
  const isOnce = file.startsWith('test/once');
  const report = join(REPORTS, `${name}-${isOnce ? 'once' : host}-${version ?? 'here'}.tap`);
  mkdirSync(REPORTS, { recursive: true });
  rmSync(report, { force: true });
  const args = [
    '--enable-source-maps',
    `--require=${join(ROOT, 'scripts/test-process.cjs')}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
    ...options,
    join('.build', file.replace(/\.ts$/, '.js')),
  ];
  return {
    weight: WEIGHTS[name],
    title: `${isOnce ? `once/${name}` : `${name} on ${host}`}, Node ${version ?? process.versions.node}`,
    command: binaryOf(version),
    args,
    env: { EGG_HOST: host, ...(env ?? { NODE_COMPILE_CACHE: COMPILE_CACHE }) },
    count: (status, output) => resultOf(report, status, output, options.length > 0),
  };
}

/** In lines. What makes a process fail though no test has failed is among the last ones that it prints. */
const LAST_WORDS = 20;

/** The totals at the end of a report, and its failures. A process that ends with an error, or has run no test, has failed, too. */
export function resultOf(path, status, output, mayBeEmpty = false) {
  const report = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const total = name => Number(report.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0);
  const [passed, failed, skipped] = [total('pass'), total('fail') + total('cancelled'), total('skipped')];
  const failures = report.match(/^ *not ok [^]*?^ *\.\.\.$/gm) ?? [];
  if (failed > 0) return { passed, failed, skipped, failures };
  if (status !== 0) failures.push(`no test has failed, but the process has ended with ${status}:\n${lastLines(output)}`);
  else if (passed + skipped === 0 && !mayBeEmpty) failures.push('it has run no test');
  return { passed, failed: failures.length, skipped, failures };
}

function lastLines(output) {
  return output.trimEnd().split('\n').slice(-LAST_WORDS).join('\n');
}

async function main(args) {
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
  const given = { words, options, ...(hosts.length > 0 && { hosts }) };
  await runAll(
    (nodes.length > 0 ? nodes : [undefined]).flatMap(node => testTasks({ ...given, node })),
    total,
  );
  console.log(String(total));
  return total.passed > 0 && total.failed === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !(await main(process.argv.slice(2)))) process.exitCode = 1;
