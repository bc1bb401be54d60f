/** Real reverse proxies in front of an app, other than nginx. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { RunningNginx } from './nginx';
import { freePort } from './port';
import { until } from './until';

interface Program {
  /** What stands for the port in a sample, and what takes its place. */
  readonly listen: readonly [RegExp, (port: number) => string];
  /** What a package of Debian's would have in other files of its configuration. */
  readonly base?: (folder: string, port: number) => string;
  /** The command that runs it in the foreground. */
  readonly command: (config: string, folder: string, port: number) => readonly [string, ...string[]];
  /** Default: SIGKILL. Those with processes of their own would leave them behind. */
  readonly signal?: NodeJS.Signals;
}

const APACHE_MODULES = ['mpm_event', 'authz_core', 'proxy', 'proxy_http'];

/** By the language of their samples. */
const PROGRAMS = {
  haproxy: {
    listen: [/(?<=bind ):80/, port => `127.0.0.1:${port}`],
    command: config => ['haproxy', '-db', '-f', config],
  },
  caddy: {
    listen: [/^:80/m, port => `http://127.0.0.1:${port}`],
    base: () => '{\n  admin off\n}\n',
    command: config => ['caddy', 'run', '--config', config, '--adapter', 'caddyfile'],
  },
  apache: {
    listen: [/(?<=<VirtualHost )\*:80/, port => `127.0.0.1:${port}`],
    base: (folder, port) =>
      [
        `ServerRoot ${folder}`,
        'ServerName localhost',
        `DefaultRuntimeDir ${folder}`,
        `PidFile ${folder}/pid`,
        `ErrorLog ${folder}/error.log`,
        `Listen 127.0.0.1:${port}`,
        ...APACHE_MODULES.map(name => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
        ...(process.getuid?.() === 0 ? ['User nobody', 'Group nogroup'] : []), // it refuses to serve as root
        '',
      ].join('\n'),
    command: config => ['apache2', '-DFOREGROUND', '-f', config],
    signal: 'SIGTERM',
  },
  lighttpd: {
    listen: [/^/, port => `server.bind = "127.0.0.1"\nserver.port = ${port}\n`],
    base: folder => `server.document-root = "${folder}"\n`,
    command: config => ['lighttpd', '-D', '-f', config],
  },
  vcl: {
    listen: [/^/, () => ''],
    command: (config, folder, port) => [
      'varnishd',
      ...['-F', '-j', 'none', '-n', join(folder, 'work'), '-s', 'malloc,16m', '-a', `127.0.0.1:${port}`, '-f', config],
    ],
    signal: 'SIGTERM',
  },
} satisfies Record<string, Program>;

export type ReverseProxyLanguage = keyof typeof PROGRAMS;

export function isReverseProxyLanguage(language: string): language is ReverseProxyLanguage {
  return Object.hasOwn(PROGRAMS, language);
}

/** Starts it with a configuration, where port 80 stands for a free one. It is stopped when the test ends. */
export async function startReverseProxy(t: TestContext, language: ReverseProxyLanguage, config: string): Promise<RunningNginx> {
  const { listen, base, command, signal = 'SIGKILL' }: Program = PROGRAMS[language];
  const folder = await mkdtemp(join(tmpdir(), `${language}-`));
  const port = await freePort();
  const file = join(folder, 'config');
  await writeFile(file, (base?.(folder, port) ?? '') + config.replace(listen[0], listen[1](port)));
  const [name, ...args] = command(file, folder, port);
  const proxy = spawn(name, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // not every user has /usr/sbin in the PATH, where Debian puts them; Caddy keeps files in the home folder
    env: { ...process.env, HOME: folder, PATH: [process.env['PATH'], '/usr/sbin'].join(delimiter) },
  });
  let output = '';
  proxy.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(proxy, 'exit');
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      proxy.kill(signal);
      await exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    })());
  t.after(stop);
  await until(t, async () => {
    if (proxy.exitCode !== null) throw new Error(`${name} ended: ${output}`);
    return listens(port);
  });
  return { url: `http://127.0.0.1:${port}`, stop };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not yet
  } finally {
    socket.destroy();
  }
}
