/** The package for mini programs, as people get it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { ROOT, startApp } from '../support/app';
import { BUNDLERS, transpile } from '../support/bundlers';
import { next } from '../support/client';
import { simulate } from '../support/platforms';
import type { Socket } from 'egg-socket.io-mini-program';

/** What no mini program has, or may do. */
const FORBIDDEN =
  /\b(?:window|document|XMLHttpRequest|TextDecoder|TextEncoder|FormData|MutationObserver|globalThis|process|Function|eval|fetch)\b(?!["'])/;

const ECHO = {
  'app/io/controller/chat.js': 'exports.echo = async ctx => ctx.args[0];',
  'app/router.js': 'module.exports = ({ io }) => { io.route("echo", io.controller.chat.echo); };',
};

/** The official client and what it needs, in Node too. */
const CLIENT = 'socket.io-client engine.io-client engine.io-parser socket.io-parser @socket.io debug ms ws xmlhttprequest-ssl'.split(' ');

const CONNECT = `platform => reconnectOnShow(
  io('wss://example.com', { ...miniProgram({ platform }), reconnectionDelay: 600000, reconnectionDelayMax: 600000 }),
  platform,
)`;

const SOURCES = {
  'esm/program.js': `
    import { io } from 'socket.io-client';
    import { miniProgram } from 'egg-socket.io-mini-program/transport';
    import { reconnectOnShow } from 'egg-socket.io-mini-program/reconnect';
    export const connect = ${CONNECT};`,
  'commonjs/program.js': `
    const { io } = require('socket.io-client');
    const { miniProgram } = require('egg-socket.io-mini-program/transport');
    const { reconnectOnShow } = require('egg-socket.io-mini-program/reconnect');
    exports.connect = ${CONNECT};`,
};

/** What SOURCES export. */
interface Program {
  connect(platform?: unknown): Socket;
}

describe('the packed package for mini programs', () => {
  let folder: string;
  let installed: string;

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'mini-')));
    await run('npm', ['pack', '-w', 'egg-socket.io-mini-program', '--ignore-scripts', '--pack-destination', folder], ROOT);
    const [tarball = ''] = (await readdir(folder)).filter(name => name.endsWith('.tgz'));
    await writeFile(join(folder, 'package.json'), '{ "private": true }');
    await run('npm', ['install', `./${tarball}`, '--prefer-offline', '--no-audit', '--no-fund'], folder);
    installed = join(folder, 'node_modules/egg-socket.io-mini-program');
  });
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  test('brings nothing else along', async () => {
    const names = (await readdir(join(folder, 'node_modules'))).filter(name => !name.startsWith('.'));
    assert.deepEqual(names, ['egg-socket.io-mini-program']);
  });

  test('has a remedy for each of its codes in both guides', async () => {
    const source = await readFile(join(ROOT, 'packages/mini-program/src/errors.ts'), 'utf8');
    const codes = [...source.matchAll(/\| '([A-Z_]+)'/g)].map(([, code]) => code).sort();
    for (const guide of ['docs/mini-program.md', 'docs/mini-program.zh-CN.md']) {
      const rows = (await readFile(join(ROOT, guide), 'utf8')).matchAll(/^\| `([A-Z_]+)` /gm);
      assert.deepEqual([...rows].map(([, code]) => code).sort(), codes, guide);
    }
  });

  test('has the sizes that its pages state', async () => {
    const kilobytes = ({ length }: Buffer): string => `${Math.round(length / 1000)} kB`;
    const pages = ['docs/mini-program.md', 'docs/mini-program.zh-CN.md', 'packages/mini-program/README.md'];
    for (const file of ['index.js', 'index.mjs', 'transport.js', 'transport.mjs']) {
      const code = await readFile(join(installed, 'dist', file));
      for (const size of [kilobytes(code), kilobytes(gzipSync(code, { level: 9 }))])
        for (const page of pages)
          assert.ok((await readFile(join(ROOT, page), 'utf8')).includes(size), `${page} says nothing of the ${size} of ${file}`);
    }
  });

  test('has its licence, that of every part of the client, and a map to every source', async () => {
    assert.match(await readFile(join(installed, 'LICENSE'), 'utf8'), /MIT License/);
    const licences = await readFile(join(installed, 'dist/LICENSES.txt'), 'utf8');
    const map = JSON.parse(await readFile(join(installed, 'dist/index.js.map'), 'utf8')) as { sources: string[]; sourcesContent: string[] };
    const parts = new Set(map.sources.flatMap(source => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []));
    assert.ok(parts.has('socket.io-client') && parts.has('engine.io-parser'));
    for (const part of parts)
      assert.match(licences, new RegExp(`^${part} \\d+\\.\\d+\\.\\d+\\n\\n(?:The MIT License|\\(The MIT License|MIT License)`, 'm'));
    assert.equal(map.sourcesContent.filter(Boolean).length, map.sources.length);
    assert.match(await readFile(join(installed, 'dist/index.js'), 'utf8'), /^\/\*! Contains parts of socket\.io-client, .* MIT/);
    assert.match(await readFile(join(installed, 'dist/transport.js'), 'utf8'), /^\/\*! Contains parts of socket\.io-client, .* MIT/);
  });

  test('names nothing that a mini program has not', async () => {
    for (const file of [
      'index.js',
      'index.mjs',
      'transport.js',
      'transport.mjs',
      'reconnect.js',
      'reconnect.mjs',
      'client.js',
      'client.mjs',
    ]) {
      const code = (await readFile(join(installed, 'dist', file), 'utf8')).replaceAll(/typeof [\w.]+/g, '');
      assert.doesNotMatch(code, FORBIDDEN, file);
    }
  });

  test('does nothing on import, by require or import', async () => {
    const names = 'MiniProgramError,io';
    const script = `
      const before = Object.getOwnPropertyNames(globalThis).length;
      const names = module => Object.keys(module).filter(name => name !== 'default' && name !== 'module.exports').sort().join();
      const required = names(require('egg-socket.io-mini-program'));
      import('egg-socket.io-mini-program').then(imported =>
        console.log([required, names(imported), Object.getOwnPropertyNames(globalThis).length - before].join(' ')));`;
    const { stdout } = await run(process.execPath, ['-e', script], folder);
    assert.equal(stdout.trim(), `${names} ${names} 0`);
  });

  test('is left out by a bundler where nothing of it is used', async () => {
    const contents = `import { io } from 'egg-socket.io-mini-program'; console.log('nothing');`;
    const { outputFiles } = await build({ stdin: { contents, resolveDir: folder }, bundle: true, format: 'esm', write: false });
    assert.ok(outputFiles.map(({ text }) => text).join('').length < 100);
  });

  test('is typed without the client and without a browser', async () => {
    const project = join(folder, 'typed');
    await mkdir(project, { recursive: true });
    await writeFile(
      join(project, 'app.ts'),
      `import { io, type MiniProgramError, type Socket } from 'egg-socket.io-mini-program';
      import { createSend, history, move } from 'egg-socket.io-mini-program/client';
      declare const wx: { connectSocket(options: { url: string; success?: (result: { errMsg: string }) => void }): object };
      interface ServerEvents { said: (text: string) => void }
      interface ClientEvents { say: (text: string, ack: (answer: { delivered: boolean }) => void) => void }

      const socket: Socket<ServerEvents, ClientEvents> = io('wss://example.com', { platform: wx, tcpNoDelay: true, auth: { token: '1' } });
      socket.on('said', text => text.toUpperCase());
      socket.emit('say', 'hello', ({ delivered }) => delivered);
      socket.on('connect_error', (error: Error & { description?: MiniProgramError }) => error.description?.code === 'CONNECT_FAILED');
      history(socket, { onGap: room => room.toUpperCase() });
      move(socket);
      createSend(socket)('say', 'hello').then(({ delivered }) => delivered);
      // @ts-expect-error
      createSend(socket)('shout', 'hello');
      // @ts-expect-error
      socket.emit('shout', 'hello');
      // @ts-expect-error
      io();
      // @ts-expect-error
      io('wss://example.com', { platform: {} });
      // @ts-expect-error
      io('wss://example.com', { transports: ['polling'] });`,
    );
    const options = '--noEmit --strict --skipLibCheck --target es2017 --lib es2017';
    for (const [compiler, module] of [
      ['typescript', '--module nodenext'],
      ['typescript', '--module esnext --moduleResolution bundler'],
      ['typescript-5.9', '--module commonjs --moduleResolution node10'],
    ] as const) {
      const args = [join(ROOT, 'node_modules', compiler, 'bin/tsc'), ...options.split(' '), ...module.split(' '), 'app.ts'];
      const output = await new Promise<string>(resolve => {
        execFile(process.execPath, args, { cwd: project }, (_error, stdout) => resolve(stdout));
      });
      assert.equal(output, '', `${compiler} ${module}`);
    }
  });

  describe('with a client of one’s own', () => {
    let own: string;

    before(async () => {
      own = join(folder, 'own');
      for (const name of CLIENT) await cp(join(ROOT, 'node_modules', name), join(own, 'node_modules', name), { recursive: true });
      await cp(installed, join(own, 'node_modules/egg-socket.io-mini-program'), { recursive: true });
      const files = {
        ...SOURCES,
        'babel/program.js': await transpile(SOURCES['esm/program.js']),
        'esm/package.json': '{ "type": "module" }',
      };
      for (const [name, source] of Object.entries(files)) {
        await mkdir(dirname(join(own, name)), { recursive: true });
        await writeFile(join(own, name), source);
      }
    });

    for (const name of Object.keys(SOURCES))
      for (const [bundler, bundle] of Object.entries(BUNDLERS))
        test(`its transport works in ${name}, bundled by ${bundler}`, async t => {
          const { program } = simulate(t, 'wx', (await startApp(t, ECHO)).url, { hasFunction: true });
          const { connect } = program.run(await bundle(join(own, name)), name) as Program;
          await echoes(t, connect(), program.toArrayBuffer(new Uint8Array([0, 1, 255])));
        });

    for (const name of [...Object.keys(SOURCES), 'babel/program.js'])
      test(`its transport works in ${name}, run by Node itself`, async t => {
        const { program } = simulate(t, 'wx', (await startApp(t, ECHO)).url);
        const { connect } = (await import(join(own, name))) as Program;
        await echoes(t, connect(program.evaluate('wx'))); // no global there; and binary data would be of Node's realm
      });

    test('it comes back at once from the background, where a bundler has defined what the client asks for', async t => {
      const { program } = simulate(t, 'tt', (await startApp(t, ECHO)).url);
      const code = await BUNDLERS.esbuild(join(own, 'esm/program.js'));
      const { connect } = program.run(`const self = { setTimeout, clearTimeout };\n${code}`, 'own.js') as Program;
      const socket = connect();
      await next(socket, 'connect');
      assert.equal(await socket.emitWithAck('echo', 1), 1);
      program.hide({ sockets: 'end untold' });
      program.show();
      await next(socket, 'connect');
      assert.equal(await socket.emitWithAck('echo', 2), 2);
      socket.disconnect();
    });
  });
});

/** Connects, and sends and hears what it is given. */
async function echoes(t: TestContext, socket: Socket, bytes?: ArrayBuffer): Promise<void> {
  t.after(() => socket.disconnect());
  await next(socket, 'connect');
  assert.equal(await socket.emitWithAck('echo', 'text'), 'text');
  if (!bytes) return;
  const answer = (await socket.emitWithAck('echo', bytes)) as ArrayBuffer; // as was sent
  assert.deepEqual([...new Uint8Array(answer)], [...new Uint8Array(bytes)]);
}

async function run(command: string, args: string[], cwd: string): Promise<{ stdout: string }> {
  return promisify(execFile)(command, args, { cwd });
}
