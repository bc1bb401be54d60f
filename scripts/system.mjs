/** The programs that tests run besides Node, by the Debian packages that have them. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const PACKAGES = {
  'redis-server': () => isProgram('redis-server'),
  'redis-tools': () => isProgram('redis-cli'),
  postgresql: () => isProgram('postgres') || existsSync('/usr/lib/postgresql'), // Debian has its programs there, by version
  pgbouncer: () => isProgram('pgbouncer'),
  pgpool2: () => isProgram('pgpool'),
  nutcracker: () => isProgram('nutcracker'),
  procps: () => isProgram('pgrep'),
  openssl: () => isProgram('openssl'),
  'python3-redis': () => hasModule('redis'),
  'python3-msgpack': () => hasModule('msgpack'),
  nginx: () => isProgram('nginx'),
  haproxy: () => isProgram('haproxy'),
  caddy: () => isProgram('caddy'),
  'apache2-bin': () => isProgram('apache2'),
  lighttpd: () => isProgram('lighttpd'),
  varnish: () => isProgram('varnishd'),
  prometheus: () => isProgram('prometheus'),
  systemd: () => isProgram('systemd-analyze'),
  chromium: () => isProgram('chromium'),
  'fonts-noto-cjk': () => /\bNoto\b.*\bCJK\b/.test(spawnSync('fc-list', [':lang=zh'], { encoding: 'utf8' }).stdout ?? ''),
};

/** What packages start and enable their services with. Tests start programs themselves: nothing shall listen on a developer's port 80. */
const SERVICE_TOOLS = ['invoke-rc.d', 'deb-systemd-invoke', 'deb-systemd-helper'];

/** Installs those that are missing. Where that is not possible, it throws what to do. */
export function installMissingPrograms() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const mayInstall = process.getuid?.() === 0 && isProgram('apt-get');
  if (mayInstall) {
    console.log(`Installing ${missing.join(', ')} ...`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const stubs = mkdtempSync(join(tmpdir(), 'no-services-'));
    for (const name of SERVICE_TOOLS) writeFileSync(join(stubs, name), '#!/bin/sh\n', { mode: 0o755 });
    const path = `--option=DPkg::Path=${stubs}:/usr/sbin:/usr/bin:/sbin:/bin`; // it is the PATH of the packages' scripts, whatever ours is
    for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...missing]])
      spawnSync('apt-get', ['--quiet=2', path, ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] });
    rmSync(stubs, { recursive: true });
    if (missingPackages().length === 0) return;
  }
  throw new Error(
    `The tests need programs that are missing here. Install them, on Debian with:\n  sudo apt-get install ${missingPackages().join(' ')}`,
  );
}

function missingPackages() {
  return Object.keys(PACKAGES).filter(name => !PACKAGES[name]());
}

/** Of Debian's own Python. */
function hasModule(name) {
  return spawnSync('/usr/bin/python3', ['-c', `import ${name}`]).status === 0;
}

function isProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']; // not every user's PATH has the latter, where nginx is
  return folders.some(folder => existsSync(join(folder, name)));
}
