/** What the client costs a page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { ROOT } from '../support/app';

/** The most bytes, minified and compressed. */
const LIMITS = {
  '{ createSend }': { gzip: 960, brotli: 860 },
  '{ history }': { gzip: 1205, brotli: 1125 },
  '{ createSend, history }': { gzip: 1735, brotli: 1600 },
  '{ createSend, history, move, SendError }': { gzip: 2150, brotli: 1990 },
};

const COMPRESSIONS = { gzip: gzipSync, brotli: brotliCompressSync };

for (const [names, limits] of Object.entries(LIMITS))
  test(`a page that imports ${names} of egg-socket.io/client gets ${limits.gzip} bytes at most`, async () => {
    const contents = `import ${names} from './dist/client/client.mjs'; globalThis.used = ${names};`;
    const { outputFiles } = await build({ stdin: { contents, resolveDir: ROOT }, bundle: true, minify: true, format: 'esm', write: false });
    for (const name of ['gzip', 'brotli'] as const) {
      const size = COMPRESSIONS[name](outputFiles[0]?.contents ?? '').length;
      assert.ok(size > limits[name] / 2 && size <= limits[name], `${name}: ${size} bytes`);
    }
  });
