/**
 * Keeps results, in results/node-<major>.json, and writes the pages and the chart that are made of them. Run as a program, it does the latter only;
 * with `--check`, it writes nothing, and fails if a page would change.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { ADAPTERS_SCENARIOS, adaptersTables } from './adapters-table.mjs';
import { chart } from './chart.mjs';
import { CLUSTER_SCENARIOS, clusterTables } from './cluster-table.mjs';
import { machine } from './machine.mjs';
import { PEERS, ROOT } from './peers.mjs';
import { asMarkdown, table } from './report.mjs';
import { SCENARIOS } from './scenarios.mjs';

const FOLDER = join(import.meta.dirname, 'results');

/** The chart, the READMEs and the guides have the oldest Node: what Egg switches on costs most there. */
const CHART_NODE = '20';
const CHART_SCENARIOS = ['echo', 'one-way'];
/** Whose ratios the overview of the results has. */
const OURS = 'egg4';
/** Not a framework: it shows what this plugin's part in a result is. */
const NOT_IN_CHART = ['raw-corked'];

/** Pages with tables that are made of several scenarios. */
const GUIDES = [
  { page: 'docs/cluster.md', names: CLUSTER_SCENARIOS, tables: clusterTables },
  { page: 'docs/adapters.md', names: ADAPTERS_SCENARIOS, tables: adaptersTables },
];

const CHECKS = process.argv.includes('--check');
const changed = [];

const README_WORDS = {
  'README.md': { head: ['', 'echo', 'one-way'], alt: 'CPU time per message, compared with Socket.IO' },
  'README.zh-CN.md': { head: ['', '有 ack 的消息', '单向消息'], alt: '每条消息的 CPU 耗时，与 Socket.IO 相比' },
};

/** A scenario that is measured again takes the place of what was there; others stay, each with its own date. */
export async function save(name, { node, ...result }) {
  const [major] = node.split('.');
  const results = read(major);
  results[name] = { date: new Date().toISOString().slice(0, 10), machine: machine(), node, ...result };
  const ordered = Object.fromEntries(Object.keys(SCENARIOS).flatMap(name => (results[name] ? [[name, results[name]]] : [])));
  mkdirSync(FOLDER, { recursive: true });
  const lines = Object.entries(ordered).map(([name, result]) => `  ${JSON.stringify(name)}: ${JSON.stringify(result)}`);
  await writePage(fileOf(major), `{\n${lines.join(',\n')}\n}\n`);
  await write();
}

/** From all that is kept. */
async function write() {
  const majors = readdirSync(FOLDER).flatMap(name => /^node-(\d+)\.json$/.exec(name)?.[1] ?? []);
  await writePage(join(FOLDER, 'README.md'), resultsPage(majors.toSorted()));
  const results = read(CHART_NODE);
  for (const guide of GUIDES) await writeGuide(guide, results);
  const measured = CHART_SCENARIOS.map(name => results[name]);
  if (measured.includes(undefined)) return;
  const bars = Object.keys(PEERS)
    .filter(name => !NOT_IN_CHART.includes(name))
    .flatMap(name => {
      const ratios = measured.map(({ rows }) => rows.find(({ label }) => label === name)?.ratio);
      return ratios.includes(undefined) ? [] : [{ name, title: titleOf(name, measured[0]), ratios }];
    });
  const [{ date, machine, node }] = measured;
  const svg = chart({ bars, titles: measured.map(({ about }) => sentence(about)), source: `${date}, Node ${node}, ${machine}` });
  writeFile(join(ROOT, 'docs/images/benchmark.svg'), svg);
  for (const [file, words] of Object.entries(README_WORDS)) await writeReadme(file, words, bars, measured[0]);
}

function resultsPage(majors) {
  const parts = majors.flatMap(major =>
    Object.entries(read(major)).flatMap(([name, result]) => [
      `## ${name}, Node ${major}`,
      `${sentence(result.about)}. ${sourceOf(result)}.`,
      asMarkdown(table(result)),
      ...(result.notes.length > 0 ? [result.notes.join(' ')] : []),
    ]),
  );
  const head = [
    '# Results',
    'Written by `npm run bench -- --save`. [How to read them](../README.md). Each number is the median, with minimum and maximum in brackets.',
  ];
  return `${[...head, overview(majors), ...parts].join('\n\n')}\n`;
}

/** What this plugin costs of what the base of each scenario costs, by Node. */
function overview(majors) {
  const all = majors.map(read);
  const names = Object.keys(SCENARIOS).filter(name => all.some(results => ratioOf(results[name])));
  const cell = ([min, median, max] = []) => (median === undefined ? '' : `${median.toFixed(2)} (${min.toFixed(2)} - ${max.toFixed(2)})`);
  const head = [`${PEERS[OURS].title}, compared with ${PEERS.raw.title}`, ...majors.map(major => `Node ${major}`)];
  return asMarkdown([head, ...names.map(name => [name, ...all.map(results => cell(ratioOf(results[name])))])]);
}

/** Undefined where the scenario has not been measured, or compares something else. */
function ratioOf(result) {
  return result?.rows[0].label === 'raw' ? result.rows.find(({ label }) => label === OURS)?.ratio : undefined;
}

async function writeReadme(file, { head, alt }, bars, result) {
  const cell = ([min, median, max]) => `${median.toFixed(2)}× (${min.toFixed(2)} - ${max.toFixed(2)})`;
  const lines = bars.map(({ title, ratios }) => [title, ...ratios.map(cell)]);
  const content = [`![${alt}](docs/images/benchmark.svg)`, asMarkdown([head, ...lines]), `<sub>${sourceOf(result)}</sub>`];
  await writeBlock(join(ROOT, file), content);
}

async function writeGuide({ page, names: measured, tables }, results) {
  if (measured.some(name => !results[name])) return;
  const { date, machine, node } = results[measured[0]];
  const versions = [...new Set(measured.flatMap(name => results[name].versions))];
  const notes = measured.flatMap(name =>
    results[name].notes.filter(note => note.startsWith('Other programs')).map(note => ` ${name}: ${note}`),
  );
  const source = `<sub>${sourceOf({ date, machine, node, versions })}.${notes.join('')}</sub>`;
  await writeBlock(join(ROOT, page), [...tables(results).map(asMarkdown), source]);
}

/** Between the two marks that a page has. */
async function writeBlock(path, content) {
  const [before, rest] = readFileSync(path, 'utf8').split('<!-- benchmark -->');
  const [, after] = rest.split('<!-- /benchmark -->');
  await writePage(path, `${before}<!-- benchmark -->\n\n${content.join('\n\n')}\n\n<!-- /benchmark -->${after}`);
}

function titleOf(name, { rows }) {
  const { title, versionOf } = PEERS[name];
  return versionOf ? `${title} ${rows.find(({ label }) => label === name).versions[versionOf]}` : title;
}

function sourceOf({ date, machine, node, versions }) {
  return `${date}, Node ${node}, ${machine}, ${versions.join(', ')}`;
}

async function writePage(path, text) {
  writeFile(path, await format(text, { ...(await resolveConfig(path)), filepath: path }));
}

function writeFile(path, text) {
  if (!CHECKS) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) changed.push(relative(ROOT, path));
}

function read(major) {
  try {
    return JSON.parse(readFileSync(fileOf(major), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

function fileOf(major) {
  return join(FOLDER, `node-${major}.json`);
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await write();
  if (changed.length > 0)
    throw new Error(`These differ from what the results make of them: ${changed.join(', ')}. Run node benchmark/save.mjs.`);
}
