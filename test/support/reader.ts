/**
 * Follows a page of the documentation from top to bottom, as a reader would who does all that it says:
 * a sample that begins with a path is written to that file of an app, and takes the place of an earlier one;
 * a sample that begins with `// client` is run, against the app as the page has it so far;
 * one that begins with `// mini program` as well, on WeChat or on the platform that it names.
 * What such a sample prints has to be what it says it prints: `console.log(answer); // => { ok: true }`.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { type Files, HOST, hostFolder, type RunningApp, startApp, removeApp, ROOT, writeApp } from './app';
import { next } from './client';
import { type Cluster, startCluster } from './cluster';
import { type DevServerConfig, isDevServerConfig, startDevServer } from './dev-server';
import { type RunningNginx, startNginx } from './nginx';
import type { Page, Sample } from './page';
import { type RedisServer, startRedis } from './redis';
import { isReverseProxyLanguage, type ReverseProxyLanguage, startReverseProxy } from './reverse-proxy';
import { runMiniProgram } from './mini-script';
import { runScript } from './script';
import { checkTypes, toJavaScript } from './typescript';
import { until } from './until';

/** What readers type into a shell is not run (but for tests of an app), but has to be of a kind that is known to work. */
const COMMANDS = [
  /^npm i( --save-dir)?( -D)?( [@a-z][\w@/.-]*)*$/,
  /^npx egg-bin test$/,
  /^git clone \S+$/,
  /^cd \S+$/,
  /^npm init egg -- --type=simple$/,
  /^npm (start|test|run (build|lint|types|test:nodes|(test:unit|abuse|bench|mutants|soak) -- .*|bench|abuse|fuzz|soak|test:pack-npm))$/, // of this project
  /^npx egg-socket\.io (asyncapi|reference|client) --out [\w./-]+$/,
  /^npm run dev$/, // of an app that `npm init egg` has made
  /^((EGG_APP_CLOSE_TIMEOUT=\d+ GRACEFUL_TIMEOUT=\d+|NODE_OPTIONS='--require \.\/[\w-]+\.js') )?npx (ets|egg-scripts .*|egg-socket\.io (migrate|doctor( --url \S+)?))$/,
  /^sudo apt-get install( [a-z][\w-]*)+$/,
  /^(node --test|npx mocha)( --[\w-]+( \d+)?)* test\/(\*|[\w-]+)\.test\.js$/,
];

/** How a page starts its app: from here on in a cluster, of two workers where the page has more. */
const START = /^npx egg-scripts start (?:--daemon --title=[\w-]+ --port=7001 )?--workers[ =](\d+)( --sticky)?$/;
/** The one that has Debian's modules, whichever comes first in the PATH. */
const PROGRAMS: Readonly<Record<string, string>> = { node: process.execPath, python3: '/usr/bin/python3' };

/** The ports that pages name stand for those that a test gets. */
const APP_PORT = '7001';
const REDIS_PORT = '6379';

/** What a page needs of its app, in one process or in many. */
interface ReadersApp extends Pick<RunningApp, 'url' | 'port' | 'close' | 'logged'>, Partial<Pick<RunningApp, 'io' | 'baseDir'>> {
  readonly logs: readonly string[] | Promise<readonly string[]>;
}

export class Reader {
  readonly #t: TestContext;
  readonly #page: Page;
  readonly #files: Files = {};
  #app: ReadersApp | undefined;
  #workers = { workers: 1, sticky: false };
  /** Where clients connect, if not to the app itself. */
  #front: RunningNginx | undefined;
  /** The first nginx file of the page. A `diff` shows what to change in it. */
  #nginxConfig: string | undefined;
  #redis: RedisServer | undefined;

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
    else if (isScript && /^mini program\b/.test(title)) await runMiniProgram(this.#t, (await this.#start()).url, sample);
    else if (isDevServerConfig(path)) await this.#startDevServer(path, code);
    else if (path?.endsWith(`.${language}`)) {
      if (host !== undefined && !HOST.startsWith(host.replace(' ', ''))) return;
      await this.#stop();
      this.#files[path] = code.includes(REDIS_PORT) ? code.replaceAll(REDIS_PORT, await this.#startRedis()) : code;
    } else if (language === 'nginx') await this.#startNginx(code);
    else if (isReverseProxyLanguage(language)) await this.#startReverseProxy(language, code);
    else if (language === 'json') JSON.parse(code);
    else if (['dockerfile', 'ini', 'yaml'].includes(language))
      return; // in deployment-files.test.ts
    else if (language === 'diff') await this.#change(code);
    else if (language === 'sh') for (const line of code.trim().split('\n')) await this.#type(line);
    else if (language === 'text') await this.#compareLog(code);
    else throw new Error(`no test knows what to do with this sample (${language || 'no language'}, '${title}')`);
  }

  async #start(): Promise<ReadersApp> {
    if (this.#app) return this.#app;
    await checkTypes(this.#t, this.#files);
    const files = toJavaScript(this.#files);
    await preload(files['tracing.js']);
    return (this.#app =
      this.#workers.workers > 1 ? appOf(this.#t, await startCluster(this.#t, files, this.#workers)) : await startApp(this.#t, files));
  }

  async #stop(): Promise<void> {
    await this.#front?.stop();
    await this.#app?.close();
    this.#app = this.#front = undefined;
  }

  async #runClient({ language, title, code, line, place }: Sample): Promise<void> {
    const app = await this.#start();
    const { url } = this.#front ?? app;
    const path = `client.m${language}`;
    await checkTypes(this.#t, path.endsWith('ts') ? { ...this.#files, [path]: code } : {});
    const { 'client.mjs': script = '' } = toJavaScript({ [path]: code });
    const isRedisDown = title.endsWith('while Redis is down');
    if (isRedisDown) {
      await this.#redis?.kill();
      await app.logged(/IO_REDIS_DOWN/);
    }
    const beside = /^client while `(.+)` runs$/.exec(title)?.[1];
    const run = runScript(url, { code: script, line, place, origin: /^client on (\S+)$/.exec(title)?.[1] });
    await Promise.all([run, beside !== undefined && this.#runBeside(beside, app)]);
    if (isRedisDown) await this.#redis?.start();
  }

  /** A program of the page, once the client has connected. */
  async #runBeside(command: string, app: ReadersApp): Promise<void> {
    const { io, baseDir } = app;
    if (!io || baseDir === undefined) throw new Error('beside an app of several workers no program can be run here');
    await next(io, 'connection');
    const [name = '', ...args] = command.split(' ');
    await promisify(execFile)(PROGRAMS[name] ?? name, args, { cwd: baseDir });
  }

  /** A line of log is one that the app has logged. Other texts are drawings. */
  async #compareLog(text: string): Promise<void> {
    if (!text.startsWith('[egg-socket.io] ')) return;
    const app = await this.#start();
    const line = text.trim().replaceAll(`localhost:${APP_PORT}`, `127.0.0.1:${app.port}`);
    const logs = await app.logs;
    if (!logs.some(logged => logged.endsWith(line))) throw new Error(`not in the log:\n${logs.join('\n')}`);
  }

  async #startNginx(config: string): Promise<void> {
    const { port } = await this.#start();
    this.#nginxConfig ??= config;
    this.#front = await startNginx(this.#t, config.replaceAll(APP_PORT, String(port)));
  }

  async #startDevServer(name: DevServerConfig, config: string): Promise<void> {
    const { port } = await this.#start();
    this.#front = await startDevServer(this.#t, name, config.replaceAll(`localhost:${APP_PORT}`, `127.0.0.1:${port}`));
  }

  async #startReverseProxy(language: ReverseProxyLanguage, config: string): Promise<void> {
    const { port } = await this.#start();
    this.#front = await startReverseProxy(this.#t, language, config.replaceAll(APP_PORT, String(port)));
  }

  async #startRedis(): Promise<string> {
    this.#redis ??= await startRedis(this.#t);
    return String(this.#redis.port);
  }

  /** Lines of a file of the app, or of the page's nginx file, give way to others. */
  async #change(diff: string): Promise<void> {
    const nginxConfig = this.#nginxConfig === undefined ? undefined : patched(this.#nginxConfig, diff);
    if (nginxConfig !== undefined) return this.#startNginx(nginxConfig);
    for (const [path, code] of Object.entries(this.#files)) {
      const changed = patched(code, diff);
      if (changed === undefined) continue;
      this.#files[path] = changed;
      return;
    }
    throw new Error('no file of this page has these lines');
  }

  /** One line of a shell. Where it says how many tests pass, it is run. */
  async #type(line: string): Promise<void> {
    const [, command = '', tests] = /^(.*?)(?: *# (?:=> (\d+) tests pass|.*))?$/.exec(line) ?? [];
    if (command !== '' && !COMMANDS.some(known => known.test(command))) throw new Error(`unknown command: ${command}`);
    const [isStart, workers, sticky] = START.exec(command) ?? [];
    if (isStart !== undefined) {
      await this.#stop();
      this.#workers = { workers: Math.min(Number(workers), 2), sticky: sticky !== undefined };
    }
    if (tests !== undefined) await this.#runTests(command, tests);
    const [, document, out] = /^npx egg-socket\.io (.+) --out (.+)$/.exec(command) ?? [];
    if (document !== undefined && out !== undefined) await this.#writeDocument(document, out);
  }

  /** What the command writes is a file of the page. */
  async #writeDocument(document: string, out: string): Promise<void> {
    const cwd = await writeApp(toJavaScript(this.#files));
    this.#t.after(() => removeApp(cwd));
    await mkdir(join(cwd, dirname(out)), { recursive: true });
    await promisify(execFile)(process.execPath, [join(ROOT, 'migrate/dist/egg-socket.io.js'), document, '--out', out], { cwd });
    this.#files[out] = await readFile(join(cwd, out), 'utf8');
  }

  /** Tests of the app's own. */
  async #runTests(typed: string, expected: string): Promise<void> {
    const isEggBin = typed === 'npx egg-bin test'; // it runs mocha, on what it has compiled, and is for egg 4
    if (isEggBin && HOST === 'egg3') return;
    const command = isEggBin ? 'npx mocha --exit --timeout 20000 test/*.test.js' : typed;
    const cwd = await writeApp(toJavaScript(this.#files));
    this.#t.after(() => removeApp(cwd));
    await symlink(join(hostFolder(), 'node_modules'), join(cwd, 'node_modules'));
    const { NODE_TEST_CONTEXT: _, PATH = '', ...env } = process.env; // a run of its own, not a part of this one
    const options = { cwd, env: { ...env, PATH: dirname(process.execPath) + delimiter + PATH } };
    const { error, output } = await new Promise<{ error: Error | null; output: string }>(resolve => {
      execFile('sh', ['-c', command], options, (error, stdout, stderr) => resolve({ error, output: stdout + stderr }));
    });
    const [, ofNode, ofMocha] = /^\W*(?:pass (\d+)|(\d+) passing\b.*)$/m.exec(output) ?? [];
    if (error || (ofNode ?? ofMocha) !== expected) throw new Error(`not ${expected} tests pass:\n${output}`);
  }
}

/** An app in processes of its own. What it logs is in its file. */
function appOf(t: TestContext, cluster: Cluster): ReadersApp {
  const lines = async (): Promise<string[]> => (await cluster.log()).split('\n');
  return {
    url: cluster.url,
    port: Number(new URL(cluster.url).port),
    get logs() {
      return lines();
    },
    async logged(pattern) {
      let line: string | undefined;
      await until(t, async () => {
        line = (await lines()).find(one => pattern.test(one));
        return line !== undefined;
      });
      return line ?? '';
    },
    async close() {
      await cluster.terminate();
    },
  };
}

/** A text in which the lines of a `diff` that begin with `-` have given way to those with `+`. Undefined if the text has no such lines. */
export function patched(text: string, diff: string): string | undefined {
  const side = (sign: string): string =>
    diff
      .split('\n')
      .flatMap(line => (line.startsWith(sign) ? [line.slice(1)] : []))
      .join('\n');
  return text.includes(side('-')) ? text.replace(side('-'), () => side('+')) : undefined;
}

/** Runs a file that a page has Node load before the app, by `--require`. */
async function preload(code: string | undefined): Promise<void> {
  if (code === undefined) return;
  const folder = await mkdtemp(join(hostFolder(), '.apps/preload-'));
  try {
    await writeFile(join(folder, 'preload.js'), code);
    require(join(folder, 'preload.js'));
  } finally {
    await removeApp(folder);
  }
}
