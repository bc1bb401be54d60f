/** A real nginx in front of an app, with the configuration that our guide gives to users. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { freePort } from './redis';

/** What a user writes: all of it, or in the `http` section of a configuration that is there. */
const SITE = (port: number, upstream: string): string => `
  map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      '';
  }

  upstream app {
    ${upstream}
    keepalive 16;
  }

  server {
    listen 127.0.0.1:${port};

    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 60s;
      proxy_buffering off;
    }
  }`;

/** Starts nginx in front of the ports of an app; resolves to its own. */
export async function startNginx(t: TestContext, appPorts: number[]): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 256; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
${SITE(port, appPorts.map(one => `server 127.0.0.1:${one};`).join('\n    '))}
}
`,
  );
  const nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exit = once(nginx, 'exit');
  t.after(async () => {
    nginx.kill('SIGTERM');
    await exit;
    await rm(folder, { recursive: true, force: true });
  });
  while (!(await listens(port))) {
    if (nginx.exitCode !== null) throw new Error(`nginx ended with ${nginx.exitCode}`);
    await nextTurn(); // nginx says nothing when it is ready
  }
  return port;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise(resolve => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  }).then(answer => {
    socket.destroy();
    return answer as boolean; // of the two above
  });
}
