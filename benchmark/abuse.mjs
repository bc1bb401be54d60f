/**
 * `npm run abuse`: what attacks cost this plugin, and plain Socket.IO beside it: the memory, and what a client that does nothing wrong notices.
 * Each is of a bounded size, over loopback. Exits with 1 if an attacker got from this plugin what it was not to get.
 *
 * npm run abuse -- backlog events   some of the attacks
 * npm run abuse -- --rounds 5       medians of five runs
 * npm run abuse -- --short          as in the tests: smaller, some of them, and this plugin only
 * npm run abuse -- --markdown       the table in Markdown
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ATTACKS } from './attacks.mjs';
import { Bystander } from './bystander.mjs';
import { Child } from './child.mjs';
import { asMarkdown, asText } from './report.mjs';

const MB = 1_000_000;
/** How long it is watched before the attack, in ms. */
const QUIET = 1000;
/** What is smaller in the tests: the numbers of packets, and waiting. */
const SHORT = 0.4;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'abuse-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** Code, caches and tables are there before anything is measured. */
const WARM_UP = ['events', 'events with answers', 'namespaces'];

const init = { connectTimeout: 2000 }; // else the row of connecting would take 45 s
/** Those of `npm run abuse -- --short` have one server: what is off by default costs the other rows nothing. */
const STRICT = {
  proxy: true,
  maxIpsCount: 1,
  io: {
    init,
    limits: { connections: 100, perAddress: { connections: 20 }, ...(options.short && { attachments: 500 }) },
    namespace: { '/strict': { limits: { handlerTimeout: 200, perEvent: { echo: { perSecond: 5 } } } } },
  },
};
/** Which limits the server has. */
const CONFIGS = {
  defaults: { io: { init } },
  /** Those that are off by default. */
  strict: STRICT,
  handshakes: { io: { init, limits: { handshakes: 100 } } },
  recovery: { io: { init: { ...init, connectionStateRecovery: {} } } },
};

const HEAD = ['', 'peak, MB', 'held, MB', 'left, MB', 'us a packet', 'p99 quiet', 'p99', 'lost', 'the attacker got'];

const failures = [];

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
process.exit(); // what an attack has left in this process may be waiting

async function main() {
  for (const name of positionals)
    if (!ATTACKS[name]) throw new Error(`There is no attack ${name}. There are ${Object.keys(ATTACKS).join(', ')}.`);
  const names = positionals.length > 0 ? positionals : Object.keys(ATTACKS).filter(name => !options.short || ATTACKS[name].short);
  const rows = names.flatMap(name => modesOf(name).map(mode => ({ ...rowOf(name), mode, lines: [] })));
  // those of one kind of server after the other: as few starts as can be
  const keyOf = ({ mode, config }) => `${mode.workers} ${config}`;
  const groups = [...new Set(rows.map(keyOf))].map(key => rows.filter(row => keyOf(row) === key));
  for (const group of groups) for (const kind of options.short ? ['ours'] : ['plain', 'ours']) await attackAll(kind, group);
  for (const name of names) console.log(`- ${name}: ${ATTACKS[name].about}`);
  const table = [HEAD, ...rows.flatMap(({ lines }) => lines)];
  console.log(`\n${options.markdown ? asMarkdown(table) : asText(table)}`);
  if (failures.length > 0) throw new Error(`This plugin did not stop: ${failures.join('; ')}`);
}

function rowOf(name) {
  return { name, ...ATTACKS[name], config: options.short ? 'strict' : (ATTACKS[name].config ?? 'defaults') };
}

function modesOf(name) {
  const { modes } = ATTACKS[name];
  return options.short ? modes.slice(0, 1) : modes;
}

async function attackAll(kind, rows) {
  const [{ mode, config }] = rows;
  const env = { ...process.env, EGG_SERVER_ENV: 'prod', NODE_ENV: 'production', ABUSE_DIR: folder, HOME: folder };
  env.ABUSE_CONFIG = JSON.stringify(CONFIGS[config]);
  delete env.NODE_V8_COVERAGE; // it would keep what it counts
  const start = (file, core, args) =>
    Child.start(join(import.meta.dirname, file), { core, args, env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const server = await start('abuse-server.mjs', 0, [kind, String(mode.workers)]);
  const attacker = await start('attacker.mjs', 1);
  try {
    const { port } = await server.ask('about');
    const parts = { kind, server, attacker, port };
    for (const name of options.short ? WARM_UP.slice(0, 1) : WARM_UP) await warmUp(parts, name, mode);
    for (const row of rows) {
      if (kind === 'plain' && row.alone) continue;
      const results = [];
      for (let i = 0; i < Number(options.rounds); i++) results.push(await measure(parts, row, options.short ? SHORT : 1));
      report(kind, row, results);
    }
  } finally {
    await attacker.stop();
    await server.stop('SIGTERM');
  }
}

async function warmUp({ attacker, port }, name, mode) {
  await attacker.ask('attack', name, { ...mode, port, packets: ATTACKS[name].packets / 10 });
  await wait(200);
  await attacker.ask('leave');
}

/** One attack, from a quiet server to what is left when the attacker has gone. */
async function measure(
  { kind, server, attacker, port },
  { name, mode, broadcast, seconds, short, stays = 1, isSwept = false, packets = 0, expects },
  scale,
) {
  const count = Math.round(packets * scale);
  const expected = new RegExp(expects.replaceAll('#', count));
  const bystander = await Bystander.connect(port);
  await bystander.watch(QUIET * scale);
  const quiet = bystander.take();
  const before = await memoryOf(server);
  await server.ask('forgetPeak');
  const cpu = sum(await server.ask('cpu'));
  bystander.start();
  await attacker.ask('attack', name, { ...mode, port, scale, packets: count });
  if (broadcast) await server.ask('broadcast', broadcast[0] * scale, broadcast[1]);
  await wait((options.short ? short : seconds) * 1000);
  // on a busy machine it takes longer
  if (kind === 'ours') for (let i = 0; i < 800 && !expected.test(await attacker.ask('got')); i++) await wait(100);
  const used = sum(await server.ask('cpu')) - cpu;
  const noticed = await bystander.end();
  const peak = sum(await server.ask('peak'));
  const held = await memoryOf(server);
  const got = await attacker.ask('got');
  await attacker.ask('leave');
  await wait(scale < 1 ? 300 : (kind === 'ours' ? stays : 1) * 1000);
  if (isSwept) await server.ask('sweep');
  const left = await memoryOf(server);
  await bystander.leave();
  return {
    peak: (peak - before.rss) / MB,
    held: (held.held - before.held) / MB,
    left: (left.held - before.held) / MB,
    cpu: count > 0 ? used / count : undefined,
    quiet: quiet.p99,
    p99: noticed.p99,
    lost: noticed.lost,
    got,
    isStopped: expected.test(got),
  };
}

async function memoryOf(server) {
  const every = await server.ask('memory');
  return { held: sum(every.map(({ held }) => held)), rss: sum(every.map(({ rss }) => rss)) };
}

function report(kind, { name, mode, lines }, results) {
  const of = (field, digits) => median(results.map(result => result[field]))?.toFixed(digits) ?? '';
  const { got } = results.find(({ isStopped }) => !isStopped) ?? results[0];
  const label = `${name}, ${mode.transport}${mode.protocol === 3 ? ', protocol 3' : ''}${mode.workers > 1 ? `, ${mode.workers} workers` : ''}: ${kind}`;
  lines.push([label, of('peak', 0), of('held', 1), of('left', 1), of('cpu', 0), of('quiet', 1), of('p99', 1), of('lost', 0), got]);
  console.error(lines.at(-1).join('  '));
  if (kind === 'plain') return;
  if (!results.every(({ isStopped }) => isStopped)) failures.push(`${label}, which got: ${got}`);
  const lost = results.find(result => result.lost > 0);
  if (lost) failures.push(`${label}, for which a bystander lost ${lost.lost}`);
}

function median(numbers) {
  if (numbers.some(number => number === undefined)) return undefined;
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
