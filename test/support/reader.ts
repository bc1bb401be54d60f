/**
 * Follows a page of the documentation from top to bottom, as a reader would who does all that it says:
 * a sample that begins with a path is written to that file of an app, and takes the place of an earlier one;
 * a sample that begins with `// client` is run, against the app as the page has it so far.
 * What such a sample prints has to be what it says it prints: `console.log(answer); // => { ok: true }`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { formatWithOptions } from 'node:util';
import { compileFunction } from 'node:vm';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { type Files, HOST, hostFolder, type RunningApp, startApp, writeApp } from './app';
import type { Page, Sample } from './page';
import { checkTypes, toJavaScript } from './typescript';

/** What readers type into a shell is not run, but has to be of a kind that is known to work. */
const COMMANDS = [
  /^npm i( --save-dir)?( -D)?( [@a-z][\w@/.-]*)+$/,
  /^git clone \S+$/,
  /^cd \S+$/,
  /^npm init egg --type=simple$/,
  /^npm (start|test|run (lint|types|test:unit -- .*))$/, // of this project
  /^npm run dev$/, // of an app that `npm init egg` has made
  /^npx egg-(bin|scripts) .*$/,
];

/** The ports that pages name stand for those that a test gets. */
const APP_PORT = '7001';
const REDIS_PORT = '6379';

export class Reader {
  readonly #t: TestContext;
  readonly #page: Page;
  readonly #files: Files = {};
  #app: RunningApp | undefined;
  /** Where clients connect, if not to the app itself. */
  #front: { url: string; close(): Promise<void> } | undefined;
  #redisPort: Promise<string> | undefined;

  constructor(t: TestContext, page: Page) {
    this.#t = t;
    this.#page = page;
  }

  async follow(): Promise<void> {
    for (const sample of this.#page.samples) {
      try {
        await this.#do(sample);
      } catch (cause) {
        throw new Error(`${sample.place}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    }
    if (Object.keys(this.#files).length > 0) await this.#start(); // the last files may have no client
    await this.#stop();
  }

  async #do(sample: Sample): Promise<void> {
    const { language, title, path, host, code } = sample;
    const isScript = language === 'js' || language === 'ts';
    if (isScript && /^client\b/.test(title)) await this.#runClient(sample);
    else if (path?.endsWith(`.${language}`)) {
      if (host !== undefined && !HOST.startsWith(host.replace(' ', ''))) return;
      await this.#stop();
      this.#files[path] = code.replaceAll(REDIS_PORT, code.includes(REDIS_PORT) ? await this.#startRedis() : '');
      if (path.endsWith('.test.js')) await this.#runTest(path);
    } else if (language === 'nginx') await this.#startNginx(code);
    else if (language === 'json') JSON.parse(code);
    else if (language === 'sh') checkCommands(code);
    else if (language !== 'text') throw new Error(`no test knows what to do with this sample (${language || 'no language'}, '${title}')`);
  }

  async #start(): Promise<RunningApp> {
    if (this.#app) return this.#app;
    await checkTypes(this.#t, this.#files);
    return (this.#app = await startApp(this.#t, toJavaScript(this.#files)));
  }

  async #stop(): Promise<void> {
    await this.#front?.close();
    await this.#app?.close();
    this.#app = this.#front = undefined;
  }

  async #runClient({ language, title, code, line, place }: Sample): Promise<void> {
    const { url } = this.#front ?? (await this.#start());
    const client = language === 'ts' ? 'client.mts' : 'client.mjs';
    if (language === 'ts') await checkTypes(this.#t, { ...this.#files, [client]: code });
    const prints = new Prints(code);
    const browser = new Browser(url, /^client on (\S+)$/.exec(title)?.[1], error => prints.fail(error));
    const script = toJavaScript({ [client]: prints.watchedCode })['client.mjs'] ?? '';
    const run = compileFunction(
      `return (async () => { ${script.replaceAll(/^import (\{.*\}) from '(.+)';$/gm, "const $1 = modules['$2'];")}\n})();`,
      ['io', 'fetch', 'print', 'modules'],
      { filename: place, lineOffset: line - 1 },
    );
    try {
      await Promise.race([prints.done, run(browser.io, browser.fetch, prints.print, { 'socket.io-client': browser })]);
      await prints.done;
    } finally {
      browser.close();
    }
  }

  /** A test of the app's own. */
  async #runTest(path: string): Promise<void> {
    const baseDir = await writeApp(toJavaScript(this.#files));
    this.#t.after(() => rm(baseDir, { recursive: true, force: true }));
    await symlink(join(hostFolder(), 'node_modules'), join(baseDir, 'node_modules'));
    const { NODE_TEST_CONTEXT: _, ...env } = process.env; // a run of its own, not a part of this one
    const child = spawn(process.execPath, ['--test', path], { cwd: baseDir, env });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => output.push(data.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0 || !/^# pass [1-9]/m.test(output.join(''))) throw new Error(`the test has failed:\n${output.join('')}`);
  }

  /** A real nginx in front of the app. */
  async #startNginx(config: string): Promise<void> {
    const app = await this.#start();
    const folder = await mkdtemp(join(tmpdir(), 'nginx-'));
    const port = await freePort();
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join(' ');
    const site = config.replaceAll(APP_PORT, String(app.port)).replaceAll('listen 80;', `listen 127.0.0.1:${port};`);
    await writeFile(
      join(folder, 'nginx.conf'),
      `daemon off; user root; worker_processes 1; pid ${folder}/pid; events {} http { access_log off; ${temporary}\n${site}\n}`,
    );
    const nginx = spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf'), '-g', 'error_log stderr notice;']);
    const closed = once(nginx, 'close');
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> =>
      (closing ??= (async () => {
        nginx.kill();
        await closed;
        await rm(folder, { recursive: true, force: true });
      })());
    this.#t.after(close);
    await printed(nginx.stderr, /start worker processes/);
    this.#front = { url: `http://127.0.0.1:${port}`, close };
  }

  async #startRedis(): Promise<string> {
    return (this.#redisPort ??= (async () => {
      const port = String(await freePort());
      const redis = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', tmpdir()]);
      const closed = once(redis, 'close');
      this.#t.after(async () => {
        redis.kill();
        await closed;
      });
      await printed(redis.stdout, /Ready to accept connections/);
      return port;
    })());
  }
}

/** What a script in a page of the app has at hand: `io` and `fetch`, with the cookies that the app has set. */
class Browser {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #onError: (error: Error) => void;
  readonly #cookies = new Map<string, string>();
  readonly #sockets: Socket[] = [];

  constructor(url: string, origin: string | undefined, onError: (error: Error) => void) {
    this.#url = url;
    this.#headers = { origin: origin ?? url };
    this.#onError = onError;
  }

  readonly io = (
    address: string | Partial<ManagerOptions & SocketOptions> = '/',
    options: Partial<ManagerOptions & SocketOptions> = {},
  ): Socket => {
    if (typeof address !== 'string') return this.io('/', address);
    const socket = io(this.#at(address), { forceNew: true, reconnection: false, ...options, extraHeaders: this.#sent() });
    this.#sockets.push(socket);
    socket.on('connect_error', error => {
      if (socket.listeners('connect_error').length === 1) this.#onError(error); // the sample does not expect it
    });
    return socket;
  };

  readonly fetch = async (address: string, options: RequestInit = {}): Promise<Response> => {
    const response = await fetch(this.#at(address), { ...options, headers: { ...(options.headers as object), ...this.#sent() } });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (name !== undefined && value !== undefined) this.#cookies.set(name, value);
    }
    return response;
  };

  close(): void {
    for (const socket of this.#sockets) socket.disconnect();
  }

  #sent(): Record<string, string> {
    return { ...this.#headers, cookie: [...this.#cookies].map(pair => pair.join('=')).join('; ') };
  }

  /** Whatever host the page names: it is this app. */
  #at(address: string): string {
    const { pathname, search } = new URL(address, this.#url);
    return new URL(pathname + search, this.#url).href;
  }
}

/** What a script prints, against what its `// =>` comments say: `// => a, then b` for a line that prints twice. */
class Prints {
  readonly watchedCode: string;
  /** Resolves when all has been printed. Rejects when something else is. */
  readonly done: Promise<void>;
  readonly #expected: string[][] = [];
  #resolve: () => void = () => {};
  fail: (error: Error) => void = () => {};

  constructor(code: string) {
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.fail = reject;
    });
    this.done.catch(() => {}); // awaited in the end, but may fail before
    this.watchedCode = code.replaceAll(/^(.*?)console\.log\((.*)\/\/ => (.*)$/gm, (_, before: string, call: string, expected: string) => {
      const id = this.#expected.push(expected.split(', then ')) - 1;
      return `${before}print(${id}, ${call}`;
    });
    if (this.#expected.length === 0)
      throw new Error('the sample states no result: end a line of console.log() with // => and what it prints');
    if (this.watchedCode.includes('// =>')) throw new Error('a result can be stated of console.log() only');
  }

  readonly print = (id: number, ...values: unknown[]): void => {
    const actual = tight(formatWithOptions({ breakLength: Infinity, depth: Infinity }, ...values));
    const expected = this.#expected[id]?.shift();
    if (expected === undefined) this.fail(new Error(`it prints once more: ${actual}`));
    else if (actual !== tight(expected)) this.fail(new Error(`it prints ${actual}, but says ${tight(expected)}`));
    else if (this.#expected.flat().length === 0) this.#resolve();
  };
}

/** Without the spaces that `console.log` puts inside brackets. */
function tight(text: string): string {
  return text.trim().replaceAll(/(?<=[[{])\s+|\s+(?=[\]}])/g, '');
}

function checkCommands(code: string): void {
  for (const line of code.trim().split('\n')) {
    const command = line.replace(/ *#.*$/, '');
    if (command !== '' && !COMMANDS.some(known => known.test(command))) throw new Error(`unknown command: ${command}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when a process has printed what matches. */
async function printed(stream: Readable, pattern: RegExp): Promise<void> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (pattern.test(text)) {
      stream.resume();
      return;
    }
  }
  throw new Error(`the process has ended: ${text}`);
}
