/** Compiles the plugin, its command, the example and the client for mini programs, whichever is older than its sources. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './run.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** What pages import, too. */
const FOR_PAGES = ['contract/contract', 'client/client'];

/** It is not loaded here, since it would add hooks to a run of tests. An import may wait for Vitest, a require() may not. */
const TEST_KIT = `import { useVitest } from './lifetimes.js';
export * from './test.js';
await useVitest();
`;

const IMPORT = /(from )'\.\/(.+?)'/g;

/** In this order: the example is compiled against the plugin's types. */
export async function build() {
  await compile(ROOT, ['src', 'tsconfig.json', 'scripts/build.mjs'], addEsm);
  const sources = [
    'app',
    'config',
    'page',
    'agent.ts',
    'app.ts',
    'contract.ts',
    'server.ts',
    'types.ts',
    'bundle.mjs',
    'tsconfig.json',
    'package.json',
    '../../src/contract', // the page has a part of it, and of the client
    '../../src/client',
  ];
  await compile(join(ROOT, 'example/chat'), sources, async dist => {
    const { bundle } = await import('../example/chat/bundle.mjs');
    await bundle(dist);
  });
}

/** Apart from the rest: it needs another egg, which only `npm run start:tegg` and the tests install. */
export async function buildTeggChat() {
  const sources = ['app', 'config', 'contract.ts', 'server.ts', 'tsconfig.json', 'package.json', '../../src/tegg', '../../src/contract'];
  await compile(join(ROOT, 'example/tegg-chat'), sources);
}

/** What `npx egg-socket.io` runs: one file with the parser in it, which as a dependency would be five times as large as the plugin. */
async function buildMigrate() {
  const { build } = await import('esbuild');
  await compile(join(ROOT, 'migrate'), ['src', 'tsconfig.json'], async dist => {
    const licence = readFileSync(join(ROOT, 'node_modules/@babel/parser/LICENSE'), 'utf8').trim();
    const options = { bundle: true, minify: true, platform: 'node', target: 'node20', format: 'cjs', legalComments: 'none' };
    const banner = { js: `#!/usr/bin/env node\n/*! Contains @babel/parser, under this licence:\n\n${licence}\n*/` };
    const [{ contents }] = (await build({ ...options, banner, entryPoints: [join(dist, 'command.js')], write: false })).outputFiles;
    for (const name of readdirSync(dist)) rmSync(join(dist, name));
    writeFileSync(join(dist, 'egg-socket.io.js'), contents, { mode: 0o755 });
  });
}

/** Apart from the rest, which `npm start` needs. */
async function buildMiniProgram() {
  const { bundle } = await import('../packages/mini-program/bundle.mjs');
  await compile(join(ROOT, 'packages/mini-program'), ['src', 'bundle.mjs', 'tsconfig.json', 'package.json', '../../src/client'], bundle);
}

/**
 * Adds what an `import` of the plugin finds: the names of the one CommonJS build, and its declarations once more, as ESM. Egg 4.0 has two sets
 * of its own, and what a declaration file adds to `egg` reaches the set that an import in that very file would find.
 */
async function addEsm(dist) {
  for (const [folder, name] of [
    ['', 'index'],
    ['tegg', 'tegg'],
  ]) {
    const names = Object.keys(createRequire(import.meta.url)(join(dist, folder, `${name}.js`)));
    writeFileSync(join(dist, folder, `${name}.mjs`), `export { ${names.join(', ')} } from './${name}.js';\n`);
  }
  writeFileSync(join(dist, 'testing/test.mjs'), TEST_KIT);
  for (const entry of FOR_PAGES) await addEsmBuild(dist, entry);
  const modules = new Set(['index', ...FOR_PAGES, 'tegg/tegg', 'testing/test']);
  for (const name of modules) {
    const declarations = readFileSync(join(dist, `${name}.d.ts`), 'utf8').replaceAll(
      /(from |import\()'(\.{1,2}\/.+?)'/g,
      (_, start, imported) => {
        modules.add(posix.join(posix.dirname(name), imported)); // and its turn comes
        return `${start}'${imported}.mjs'`;
      },
    );
    writeFileSync(join(dist, `${name}.d.mts`), declarations);
  }
}

/**
 * Builds a part once more, as ESM: pages import it too, and bundlers leave out what a page does not use. A process may then have both builds:
 * they share no state, and each has classes of its own, such as `ReplyError`.
 */
async function addEsmBuild(dist, entry) {
  const folder = join(dist, 'esm');
  const options = '--ignoreConfig --target es2022 --module esnext --moduleResolution bundler --types node --skipLibCheck'.split(' ');
  const source = join(ROOT, 'src');
  await tsc(join(source, `${entry}.ts`), ...options, '--rootDir', source, '--outDir', folder);
  const part = posix.dirname(entry);
  for (const name of importedBy(join(folder, entry))) {
    const code = readFileSync(join(folder, part, `${name}.js`), 'utf8').replaceAll(IMPORT, "$1'./$2.mjs'");
    writeFileSync(join(dist, part, `${name}.mjs`), code);
  }
  rmSync(folder, { recursive: true });
}

/** The name of a module, and of all that it imports at run time: its neighbours. */
function importedBy(path) {
  const neighbours = [...readFileSync(`${path}.js`, 'utf8').matchAll(IMPORT)].map(([, , name]) => join(path, '..', name));
  return new Set([posix.basename(path), ...neighbours.flatMap(neighbour => [...importedBy(neighbour)])]);
}

/** Compiles a folder into its dist, if that is older than the sources. `finish` does there what is left to do. */
export async function compile(folder, sources, finish = async () => {}) {
  const dist = join(folder, 'dist');
  const changed = Math.max(...sources.flatMap(source => times(join(folder, source))));
  const built = existsSync(dist) ? Math.min(...times(dist)) : 0;
  if (changed < built) return;

  // Egg loads every file it finds, so that a build must not be laid over an older one with more files;
  // and one that has failed must not be taken for a build
  const fresh = `${dist}.${process.pid}`;
  try {
    await tsc('-p', folder, '--outDir', fresh);
    await finish(fresh);
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** It ends before its garbage matters: a compilation that collects none takes a second less of a processor. */
async function tsc(...args) {
  await run(process.execPath, [TSC, ...args], { env: { ...process.env, GOGC: 'off' } });
}

/** When a file was last changed, or a folder and all that is in it. A folder changes when a file in it is added or removed. */
function times(path) {
  const stats = statSync(path);
  const inside = stats.isDirectory() ? readdirSync(path).flatMap(name => times(join(path, name))) : [];
  return [stats.mtimeMs, ...inside];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build();
  await buildMigrate();
  await buildMiniProgram();
}
