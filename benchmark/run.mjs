/**
 * Measures this plugin beside other servers.
 *
 * npm run bench                             every scenario, every server
 * npm run bench -- echo one-way             the scenarios whose names begin with one of the words
 * npm run bench -- --only raw,egg4          some of the servers
 * npm run bench -- --rounds 20 --slice 1000 more rounds (10), longer slices (700 ms)
 * npm run bench -- --node 24                the servers on another Node, of test/nodes
 * npm run bench -- --here                   without packing and installing: this plugin as it is in dist, all else from node_modules
 * npm run bench -- --save                   writes results.json, results.md, the chart, and the tables of the READMEs
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from './child.mjs';
import { PEERS, ROOT, install, startServer } from './peers.mjs';
import { table } from './report.mjs';
import { SCENARIOS, rowsOf } from './scenarios.mjs';

const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '3' },
    slice: { type: 'string', default: '700' },
    node: { type: 'string' },
    here: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
});

const home = mkdtempSync(join(tmpdir(), 'benchmark-'));
try {
  await main();
} finally {
  rmSync(home, { recursive: true, force: true });
}

async function main() {
  const names = options.only?.split(',') ?? Object.keys(PEERS);
  for (const name of names) if (!PEERS[name]) throw new Error(`There is no server ${name}. There are ${Object.keys(PEERS).join(', ')}.`);
  const scenarios = chosenScenarios();
  if (!options.here) await install(names);
  for (const [name, scenario] of scenarios) {
    const rows = rowsOf(scenario, names);
    if (rows.length === 0) continue;
    console.log(`\n${name}: ${scenario.about}`);
    console.log(table(await measure(scenario, rows)));
  }
}

/** A word is a scenario's name, or the beginning of some. */
function chosenScenarios() {
  if (words.length === 0) return Object.entries(SCENARIOS);
  return words.flatMap(word => {
    const found = Object.entries(SCENARIOS).filter(([name]) => (SCENARIOS[word] ? name === word : name.startsWith(word)));
    if (found.length === 0) throw new Error(`There is no scenario ${word}. There are ${Object.keys(SCENARIOS).join(', ')}.`);
    return found;
  });
}

/** All servers are up at once, and take turns: what makes the machine faster or slower for a while does so for all of them. */
async function measure(scenario, rows) {
  const children = [];
  try {
    const load = await Child.start(join(import.meta.dirname, 'load.mjs'), { core: 1 });
    children.push(load);
    for (const row of rows) {
      row.server = await startServer(row.peer, { here: options.here, node: nodeBinary(), env: { HOME: home, EGG_HOME: home, ...row.env } });
      children.push(row.server);
      row.load = load;
      row.samples = [];
      await scenario.prepare(row);
    }
    const [rounds, warmUp, slice] = [Number(options.rounds), Number(options['warm-up']), Number(options.slice)];
    for (let round = -warmUp; round < rounds; round++) {
      const turn = (round + warmUp) % rows.length;
      for (const row of [...rows.slice(turn), ...rows.slice(0, turn)]) {
        const sample = await scenario.measure(row, slice);
        if (round >= 0) row.samples.push(sample);
      }
    }
    return { unit: scenario.unit, rows };
  } finally {
    await Promise.all(children.map(child => child.stop()));
  }
}

function nodeBinary() {
  if (options.node === undefined) return process.execPath;
  const binary = join(ROOT, `test/nodes/node_modules/node-${options.node}/bin/node`);
  if (!existsSync(binary)) throw new Error(`There is no ${binary}. Run npm install in test/nodes, which has Node 22 and 24.`);
  return binary;
}
