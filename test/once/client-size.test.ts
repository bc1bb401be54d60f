/** What the client costs a page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { ROOT } from '../support/app';

/** The most bytes, minified and compressed. */
const LIMITS = { '{ createSend }': 1160, '{ history }': 1450, '{ createSend, history, SendError }': 2130 };

for (const [names, limit] of Object.entries(LIMITS))
  test(`a page that imports ${names} of egg-socket.io/client gets ${limit} bytes at most`, async () => {
    const contents = `import ${names} from './dist/client/client.mjs'; globalThis.used = ${names};`;
    const { outputFiles } = await build({ stdin: { contents, resolveDir: ROOT }, bundle: true, minify: true, format: 'esm', write: false });
    const size = gzipSync(outputFiles[0]?.contents ?? '').length;
    assert.ok(size > limit / 2 && size <= limit, `${size} bytes`);
  });
