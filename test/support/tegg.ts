/** Apps with tegg: egg 4.1 has it, and egg 3 and 4 get it as plugins. Classes are TypeScript, compiled as an app would compile them. */
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { type Files, HOST, hostFolder, ROOT } from './app';

const PACKAGES = join(ROOT, 'test/hosts/tegg/node_modules/@eggjs');

/** The packages of tegg where the apps of this host find them. */
if (HOST !== 'egg41') {
  const folder = join(hostFolder(), '.apps/node_modules/@eggjs');
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(PACKAGES)) {
    try {
      symlinkSync(join(PACKAGES, name), join(folder, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** `config/plugin.js` of an app with tegg. */
const PLUGINS =
  HOST === 'egg41'
    ? ''
    : ['tegg-config', 'tegg-plugin', 'tegg-controller-plugin']
        .map(
          (name, i) =>
            `exports.${['teggConfig', 'tegg', 'teggController'][i]} = { enable: true, path: ${JSON.stringify(join(PACKAGES, name))} };`,
        )
        .join('\n');

/** The same without tegg. */
export const NO_TEGG =
  HOST === 'egg41'
    ? ['teggConfig', 'tegg', 'teggAjv', 'teggAop', 'teggController', 'teggDal', 'teggEventbus', 'teggOrm', 'teggSchedule']
        .map(name => `exports.${name} = false;`)
        .join('\n')
    : '';

/** Files of an app: those in TypeScript are compiled, as ESM where the module says so. */
export function teggApp(files: Files, plugins = PLUGINS): Files {
  const all: Files = { ...modulesOf(files), ...files, 'config/plugin.js': `${files['config/plugin.js'] ?? ''}\n${plugins}` };
  for (const [path, content] of Object.entries(files)) {
    if (!path.endsWith('.ts')) continue;
    delete all[path];
    const isEsm = Object.entries(files).some(
      ([other, text]) =>
        other.endsWith('/package.json') && path.startsWith(other.slice(0, -'package.json'.length)) && text.includes('"module"'),
    );
    all[path.replace(/\.ts$/, '.js')] = compile(content, isEsm ? 'esm' : 'cjs');
  }
  return all;
}

/** The package.json of each module. */
function modulesOf(files: Files): Files {
  const names = Object.keys(files).flatMap(path => /^app\/module\/([^/]+)\//.exec(path)?.[1] ?? []);
  return Object.fromEntries(names.map(name => [`app/module/${name}/package.json`, JSON.stringify({ name, eggModule: { name } })]));
}

/** A module with these files. */
export function teggModule(name: string, files: Files, type: 'module' | 'commonjs' = 'commonjs'): Files {
  const folder = `app/module/${name}/`;
  return {
    [`${folder}package.json`]: JSON.stringify({ name, type, eggModule: { name } }),
    ...Object.fromEntries(Object.entries(files).map(([path, content]) => [folder + path, content])),
  };
}

/** @param content with decorators of the standard if its first line says so */
function compile(content: string, format: 'esm' | 'cjs'): string {
  const experimentalDecorators = !content.trimStart().startsWith('// standard decorators');
  return transformSync(content, {
    loader: 'ts',
    format,
    platform: 'node',
    target: 'es2022',
    tsconfigRaw: { compilerOptions: { experimentalDecorators } },
  }).code;
}
