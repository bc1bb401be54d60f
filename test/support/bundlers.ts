/** The bundlers that people build programs with, each with no more options than it takes for a CommonJS file that runs outside of Node. */
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from './app';

const load = createRequire(join(ROOT, 'test/bundlers/package.json'));

/** Each makes one script of a file and all that it imports. */
export const BUNDLERS: Record<'esbuild' | 'rollup' | 'Vite' | 'webpack 4' | 'webpack 5', (entry: string) => Promise<string>> = {
  async esbuild(entry) {
    const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'cjs', platform: 'browser', write: false });
    return outputFiles.map(({ text }) => text).join(''); // there is one
  },

  async rollup(entry) {
    const plugins = [load('@rollup/plugin-node-resolve')({ browser: true }), load('@rollup/plugin-commonjs')()];
    const bundle = await load('rollup').rollup({ input: entry, plugins, logLevel: 'silent' });
    const { output } = await bundle.generate({ format: 'cjs' });
    return output[0].code;
  },

  async Vite(entry) {
    const { build } = await import(load.resolve('vite'));
    const { NODE_ENV } = process.env;
    const [{ output }] = await build({
      root: dirname(entry),
      configFile: false,
      logLevel: 'silent',
      build: { write: false, lib: { entry, formats: ['cjs'] }, commonjsOptions: { include: [/commonjs/, /node_modules/] } },
    });
    // Vite changes it for good, and an app started later would be another
    if (NODE_ENV === undefined) delete process.env['NODE_ENV'];
    else process.env['NODE_ENV'] = NODE_ENV;
    return output[0].code;
  },

  'webpack 4': entry => webpack('webpack-4', entry, { libraryTarget: 'commonjs2', hashFunction: 'sha256' }), // its own, md4, is gone from Node
  'webpack 5': entry => webpack('webpack-5', entry, { library: { type: 'commonjs2' } }),
};

/** Makes CommonJS of ESM, file by file, as Babel does for many a program. */
export async function transpile(code: string): Promise<string> {
  const plugins = [load.resolve('@babel/plugin-transform-modules-commonjs')];
  return (await load('@babel/core').transformAsync(code, { plugins, configFile: false })).code;
}

async function webpack(name: string, entry: string, output: object): Promise<string> {
  const path = `${entry}.${name}`;
  const compiler = load(name)({
    mode: 'production',
    context: dirname(entry),
    entry,
    output: { path, filename: 'bundle.js', ...output },
  });
  const stats: { hasErrors(): boolean; toString(options: object): string } = await new Promise((resolve, reject) =>
    compiler.run((error: Error | null, result: typeof stats) => (error ? reject(error) : resolve(result))),
  );
  if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
  return readFile(join(path, 'bundle.js'), 'utf8');
}
