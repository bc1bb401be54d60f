/**
 * Measures this plugin beside other servers.
 *
 * npm run bench                             every scenario, every server
 * npm run bench -- echo one-way             some of the scenarios, by name or by the beginning of it
 * npm run bench -- cluster                  several workers behind nginx, which are not among those of above; needs nginx and redis-server
 * npm run bench -- adapters                 the same for emits across two servers of two workers; needs redis-server
 * npm run bench -- --only raw,egg4          some of the servers
 * npm run bench -- adapters --row redis     some of the rows of a scenario that has its own, by name; again for each
 * npm run bench -- --against HEAD~3         this plugin beside an earlier build of it, a commit or a tarball, with which it is compared
 * npm run bench -- --rounds 20 --slice 1000 more rounds (10), longer slices (700 ms)
 * npm run bench -- --node 26                the servers on another Node: 22, 24 or 26
 * npm run bench -- --merge                  what a client sends in one tick is one write
 * npm run bench -- --here                   without packing and installing: this plugin as it is in dist, all else from node_modules
 * npm run bench -- --save                   keeps the results, and writes the tables and the chart that are made of them
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installMissing } from '../scripts/install.mjs';
import { Child } from './child.mjs';
import { cpuOfAll } from './machine.mjs';
import { addEarlierBuild, PEERS, ROOT, install, startServer } from './peers.mjs';
import { asText, doubts, summarize, table } from './report.mjs';
import { save } from './save.mjs';
import { SCENARIOS, lackOf, rowsOf } from './scenarios.mjs';

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    row: { type: 'string', multiple: true },
    against: { type: 'string' },
    rounds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '3' },
    slice: { type: 'string', default: '700' },
    node: { type: 'string' },
    here: { type: 'boolean', default: false },
    merge: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
});

/** A share of a core, or of all, that does not matter. */
const NOTHING = 0.03;

/** How long a server takes until it can be measured, and a cluster with its clients, in seconds. */
const START = { server: 2, cluster: 8 };

/** Which folder has a Node. Those of test/nodes are there for the tests anyway. */
const NODES = { 22: 'test/nodes', 24: 'test/nodes', 26: 'benchmark/nodes' };

/** Of the servers: their logs, and the apps of Egg. */
const home = mkdtempSync(join(tmpdir(), 'benchmark-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1)); // the servers and generators end with it

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

async function main() {
  if (options.against) addEarlierBuild(options.against);
  const names = options.only?.split(',') ?? (options.against ? ['earlier', 'egg4'] : Object.keys(PEERS));
  for (const name of names) if (!PEERS[name]) throw new Error(`There is no server ${name}. There are ${Object.keys(PEERS).join(', ')}.`);
  const scenarios = chosenScenarios();
  if (options.save && (options.only || options.row || options.here || options.against))
    throw new Error('What is saved is measured with all servers, all rows and the packed plugin.');
  const times = scenarios.map(([name, scenario]) => [name, scenario.about, secondsOf(scenario, chosenRows(scenario, names))]);
  if (options.list)
    for (const [name, about, seconds] of times) console.log(`${name.padEnd(18)} ${minutes(seconds).padStart(6)}   ${about}`);
  console.log(`About ${minutes(times.reduce((sum, [, , seconds]) => sum + seconds, 0))}, if the machine is idle.`);
  if (options.list) return;
  if (options.node !== undefined) await installNode();
  const needed = names.filter(name => scenarios.some(([, scenario]) => rowsOf(scenario, names).some(({ peer }) => peer === name)));
  await install(needed, options);
  for (const [name, scenario] of scenarios) {
    const all = rowsOf(scenario, names);
    const rows = chosenRows(scenario, names);
    if (rows.length === 0) {
      if (all.length > 0) throw new Error(`There is no such row in ${name}. There are ${all.map(({ label }) => label).join('; ')}.`);
      continue;
    }
    console.log(`\n${name}: ${scenario.about}`);
    const result = await measure(scenario, rows);
    console.log(asText(table(result)));
    result.notes.push(...(rows[0].cluster ? [] : doubts(result)), ...lacks(scenario, names));
    for (const note of result.notes) console.log(note);
    if (options.save) await save(name, result);
  }
}

/** A word is a scenario's name, or the beginning of some. */
function chosenScenarios() {
  if (words.length === 0) return Object.entries(SCENARIOS).filter(([, { rows }]) => !rows?.some(({ cluster }) => cluster));
  return words.flatMap(word => {
    const found = Object.entries(SCENARIOS).filter(([name]) => (SCENARIOS[word] ? name === word : name.startsWith(word)));
    if (found.length === 0) throw new Error(`There is no scenario ${word}. There are ${Object.keys(SCENARIOS).join(', ')}.`);
    return found;
  });
}

function chosenRows(scenario, names) {
  return rowsOf(scenario, names).filter(({ label }) => options.row?.includes(label) ?? true);
}

/** How long a scenario takes, roughly. */
function secondsOf(scenario, rows) {
  if (rows.length === 0) return 0;
  if (scenario.alone) return rows.length * roundsOf(scenario) * scenario.seconds;
  const slice = scenario.seconds ?? Number(options.slice) / 1000;
  const starting = rows.reduce((sum, { cluster }) => sum + START[cluster ? 'cluster' : 'server'], 0);
  return starting + rows.length * (warmUpOf(rows) + roundsOf(scenario)) * slice;
}

function roundsOf(scenario) {
  return Math.min(Number(options.rounds), scenario.rounds ?? Infinity);
}

function warmUpOf(rows) {
  return Number(options['warm-up']) * (rows.some(({ cluster }) => cluster) ? 3 : 1); // several processes share what there is to do
}

function minutes(seconds) {
  return seconds < 60 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function lacks(scenario, names) {
  return names.filter(name => lackOf(scenario, name)).map(name => `Without ${name}: ${lackOf(scenario, name)}.`);
}

async function measure(scenario, rows) {
  const rounds = roundsOf(scenario);
  const notes = await (scenario.alone ? measureAlone(scenario, rows, rounds) : measureInTurns(scenario, rows, rounds));
  const versions = [...new Set(rows.flatMap(row => Object.entries(row.versions).map(([name, version]) => `${name} ${version}`)))];
  return { about: scenario.about, unit: scenario.unit, node: rows[0].node, versions, rows: summarize(rows), notes: notes ?? [] };
}

/** All servers are up at once and are measured in turns: what slows the machine down for a while does so for all of them. */
async function measureInTurns(scenario, rows, rounds) {
  const warmUp = warmUpOf(rows);
  try {
    for (const row of rows) {
      await start(row);
      await scenario.prepare(row);
    }
    const check = await watch(rows);
    for (let round = 0; round < warmUp + rounds; round++) {
      const first = round % rows.length;
      for (const row of [...rows.slice(first), ...rows.slice(0, first)]) {
        const sample = await scenario.measure(row, Number(options.slice));
        if (round >= warmUp) row.samples.push(sample);
      }
    }
    return await check();
  } finally {
    await Promise.all(rows.map(stop));
  }
}

/** Notes what has used the machine beside the server that was measured and its generator. */
async function watch(rows) {
  const cpu = async () => {
    const ask = (name, question) => Promise.all(rows.map(row => row[name].ask(question)));
    const [servers, ...others] = await Promise.all([ask('server', 'cpu'), ask('server', 'beside'), ask('load', 'cpu')]);
    return { at: performance.now(), all: cpuOfAll(), servers, ours: [servers, ...others].flat().reduce((sum, one) => sum + one, 0) };
  };
  for (const row of rows) row.observed = 0;
  const before = await cpu();
  return async () => {
    const after = await cpu();
    const time = (after.at - before.at) * 1000;
    const notes = rows.flatMap(({ label, observed }, i) => {
      const idle = (after.servers[i] - before.servers[i] - observed) / time;
      return idle > NOTHING ? [`While others were measured, ${label} used ${Math.round(idle * 100)} % of the core.`] : [];
    });
    const foreign = (after.all - before.all - (after.ours - before.ours)) / time / availableParallelism();
    return foreign > NOTHING ? [...notes, `Other programs used ${Math.round(foreign * 100)} % of the machine.`] : notes;
  };
}

/** Each sample is one of a fresh server. */
async function measureAlone(scenario, rows, rounds) {
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      try {
        await start(row);
        row.samples.push(await scenario.measure(row));
      } finally {
        await stop(row);
      }
    }
  }
}

/** A generator for each server: it is then as fast with many servers as with one. */
async function start(row) {
  const env = { HOME: home, EGG_HOME: home, ...row.env };
  row.server = await startServer(row.peer, { here: options.here, node: nodeBinary(), env, cluster: row.cluster });
  const core = row.cluster ? {} : { core: 1 };
  row.load = await Child.start(join(import.meta.dirname, 'load.mjs'), { ...core, args: options.merge ? ['--merge'] : [] });
  Object.assign(row, await row.server.ask('about'));
}

async function stop({ server, load, cluster }) {
  await load?.stop();
  await server?.stop(cluster && 'SIGTERM');
}

/** Not all of them are there for each platform. */
async function installNode() {
  const folder = NODES[options.node];
  if (!folder) throw new Error(`There is no Node ${options.node}. There are ${Object.keys(NODES).join(', ')}.`);
  await installMissing(join(ROOT, folder));
}

function nodeBinary() {
  return options.node === undefined ? process.execPath : join(ROOT, NODES[options.node], `node_modules/node-${options.node}/bin/node`);
}
