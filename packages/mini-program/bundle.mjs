/**
 * Makes of the sources what a mini program can run: `index`, with the official client in it; `transport` and `reconnect`, for a client of one's own;
 * and `client`, the parts of egg-socket.io that pages have, too. Each is there as CommonJS and as ESM, with a source map, its types, and the licences
 * of what is in it. `transport` has the client's own transport in it as well, rather than to import it: what `require('socket.io-client')` returns
 * has none.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const PACKAGE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(PACKAGE, '../..');
const MODULES = join(ROOT, 'node_modules');
const ENTRIES = ['index', 'transport', 'reconnect', 'client'];

/** Entries whose source is elsewhere. */
const SOURCES = { client: '../../src/client/client.ts' };

/**
 * What of the official client has to be otherwise, by the end of the file's path: polling and WebTransport could not work in a mini program,
 * and to find the global object by `Function('return this')()`, as it does on import, is forbidden in one.
 */
const REPLACEMENTS = {
  'engine.io-client/build/esm/transports/index.js': 'export const transports = {};',
  'engine.io-client/build/esm/globals.js': `
    export const globalThisShim = { setTimeout: (callback, delay) => setTimeout(callback, delay), clearTimeout: timer => clearTimeout(timer) };
    export const nextTick = callback => Promise.resolve().then(callback);
    export const defaultBinaryType = 'arraybuffer';
    export function createCookieJar() {}`,
};

/** In `transport`, the client is this file of it alone; through its index, esbuild would take all that it names. */
const CLIENT_OF_TRANSPORT = join(MODULES, 'engine.io-client/build/esm/transports/websocket.js');
const ITS_INDEX = { 'socket.io-client/build/esm/index.js': `export { WS as WebSocket } from ${JSON.stringify(CLIENT_OF_TRANSPORT)};` };

/** The files of the client's types, by what they are imported as in those of its Manager and its Socket. */
const TYPES = {
  'engine.io-client': 'engine.io-client/build/esm/socket.d.ts',
  'engine.io-parser': 'engine.io-parser/build/esm/index.d.ts',
  'socket.io-parser': 'socket.io-parser/build/esm/index.d.ts',
  '@socket.io/component-emitter': '@socket.io/component-emitter/lib/esm/index.d.ts',
};

/** @param dist the folder, with the declarations of our own sources in it */
export async function bundle(dist) {
  const inputs = [];
  for (const name of ENTRIES) {
    const entry = SOURCES[name] ?? `./src/${name}.ts`;
    const options = {
      bundle: true,
      minify: true,
      target: 'es2015', // no younger than the phones are
      platform: 'browser',
      tsconfig: join(PACKAGE, 'tsconfig.json'),
      charset: 'utf8',
      sourcemap: true,
      metafile: true,
      banner: ['reconnect', 'client'].includes(name)
        ? {}
        : { js: '/*! Contains parts of socket.io-client, under the MIT licence: see LICENSES.txt */' },
      plugins: [officialClient(name === 'transport' ? { ...REPLACEMENTS, ...ITS_INDEX } : REPLACEMENTS)],
      absWorkingDir: PACKAGE,
      logLevel: 'warning',
      logOverride: { 'commonjs-variable-in-esm': 'silent' },
    };
    const esm = await build({ ...options, entryPoints: [entry], outfile: join(dist, `${name}.mjs`), format: 'esm' });
    const [names] = Object.values(esm.metafile.outputs).flatMap(({ exports }) => (exports.length > 0 ? [exports.join(', ')] : []));
    // by hand, since a bundler takes 500 bytes to say this
    const contents = `import { ${names} } from '${entry}'; module.exports = { ${names} };`;
    await build({ ...options, stdin: { contents, resolveDir: PACKAGE }, outfile: join(dist, `${name}.js`), format: 'cjs' });
    inputs.push(...Object.keys(esm.metafile.inputs));
  }
  writeFileSync(join(dist, 'LICENSES.txt'), licencesOf(inputs));
  addTypes(dist);
}

const officialClient = replacements => ({
  name: 'official client',
  setup(build) {
    build.onResolve({ filter: /./ }, async ({ path, pluginData, ...args }) => {
      if (pluginData === 'resolved') return undefined;
      const result = await build.resolve(path, { ...args, pluginData: 'resolved' });
      return { ...result, sideEffects: false }; // so that what is not used is not in the bundle
    });
    build.onLoad({ filter: /\.io-client/ }, ({ path }) => {
      const [, contents] = Object.entries(replacements).find(([end]) => path.endsWith(end)) ?? [];
      return contents && { contents, resolveDir: PACKAGE };
    });
  },
});

function licencesOf(inputs) {
  const packages = new Set(inputs.flatMap(path => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  return [...packages]
    .sort((one, other) => one.localeCompare(other))
    .map(name => {
      const { version } = JSON.parse(readFileSync(join(MODULES, name, 'package.json'), 'utf8'));
      return `${name} ${version}\n\n${readFileSync(join(MODULES, name, 'LICENSE'), 'utf8').trim()}\n`;
    })
    .join('\n---\n\n');
}

/** Those of `index` are complete without the client being installed; those of the others are of the client that is. */
function addTypes(dist) {
  for (const name of ENTRIES) writeFileSync(join(dist, `${name}.d.mts`), `export * from './${name}.js';\n`);
  const ours = join(dist, 'index.d.ts');
  writeFileSync(ours, readFileSync(ours, 'utf8').replaceAll("from 'socket.io-client'", "from './client/index.js'"));
  const pages = join(dist, 'pages');
  mkdirSync(pages);
  for (const name of ['client', 'hello', 'history', 'move', 'send']) {
    const declarations = readFileSync(join(ROOT, `dist/client/${name}.d.ts`), 'utf8'); // the plugin is compiled before
    const text = declarations.replaceAll("'socket.io-client'", "'../client/index.js'").replaceAll(/(from '\.\/\w+)'/g, "$1.js'");
    writeFileSync(join(pages, `${name}.d.ts`), text);
  }
  writeFileSync(join(dist, 'client.d.ts'), "export * from './pages/client.js';\n");
  const client = join(dist, 'client');
  const parts = ['manager', 'socket'].map(name => copyTypes(join(MODULES, `socket.io-client/build/esm/${name}.d.ts`), client));
  writeFileSync(
    join(client, 'index.d.ts'),
    parts.map(path => `export * from './${relative(client, path)}';\n`.replace('.d.ts', '.js')).join(''),
  );
}

/** Copies a declaration file and all that it imports. Returns where it is. */
function copyTypes(source, folder) {
  const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source);
  const copy = join(folder, name, basename(source));
  if (existsSync(copy)) return copy;
  mkdirSync(dirname(copy), { recursive: true });
  writeFileSync(copy, ''); // they import each other
  const text = readFileSync(source, 'utf8').replaceAll(/^((?:import|export) .* from )"(.+)"/gm, (_, start, imported) => {
    const path = imported.startsWith('.') ? join(dirname(source), imported.replace('.js', '.d.ts')) : join(MODULES, TYPES[imported]);
    const specifier = relative(dirname(copy), copyTypes(path, folder)).replace('.d.ts', '.js');
    return `${start}"${specifier.startsWith('.') ? specifier : `./${specifier}`}"`;
  });
  writeFileSync(copy, text);
  return copy;
}
