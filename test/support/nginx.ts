/** A real nginx in front of an app. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { freePort } from './port';
import { newCertificate } from './tls';

export interface RunningNginx {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts it with what a file of `conf.d` would say, where `listen 80` or `listen 443 ssl` stands for a free port and the certificate for one of
 * the tests. It is stopped when the test ends.
 */
export async function startNginx(t: TestContext, site: string): Promise<RunningNginx> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  const isTls = site.includes('listen 443 ssl;');
  const certificate = isTls ? await newCertificate(t) : undefined;
  const local = site
    .replaceAll(/listen (80|443 ssl);/g, (_, listen: string) => `listen 127.0.0.1:${listen.replace(/\d+/, String(port))};`)
    .replace(/ssl_certificate .*;/, `ssl_certificate ${certificate?.cert};`)
    .replace(/ssl_certificate_key .*;/, `ssl_certificate_key ${certificate?.key};`);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`);
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; ${process.getuid?.() === 0 ? 'user root;' : ''} worker_processes 1; pid ${folder}/pid; error_log stderr notice;
events {}
http { access_log off; ${paths.join(' ')}
${local}
}`,
  );
  const nginx = spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: [process.env['PATH'], '/usr/sbin'].join(delimiter) }, // not every user has the latter, where Debian puts it
  });
  const exited = once(nginx, 'exit');
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      nginx.kill();
      await exited;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    })());
  t.after(stop);
  const lines: string[] = [];
  for await (const line of createInterface(nginx.stderr)) {
    lines.push(line);
    if (!line.includes('start worker processes')) continue;
    nginx.stderr.resume(); // or the pipe fills up
    return { url: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}`, stop };
  }
  throw new Error(`nginx has not started: ${lines.join('\n')}`);
}
