/** Makes of the page's sources the one file that a browser loads, with the official client and the contract in it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** @param dist the folder of the build */
export async function bundle(dist) {
  await build({
    entryPoints: [join(FOLDER, 'page/chat.ts')],
    outdir: join(dist, 'public'),
    bundle: true,
    minify: true,
    sourcemap: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle(join(FOLDER, 'dist'));
