/**
 * Compiles test/types as an app would be: against each version of Egg, as CommonJS and as ESM, for each way to find modules, with each TypeScript
 * that users may have.
 *
 * npm run test:types                   one way to find modules with everything; the others with egg 4, and with the native TypeScript
 * npm run test:types -- egg4 bundler   whatever has all of these words in its name
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = '.build/types';
/** Egg's own declarations, checked strictly, have errors of their own. */
const OURS = new RegExp(`(^|/)${FOLDER}/[^/]+/(node_modules/egg-socket\\.io/|[^/]+/)`);

const NATIVE = 'typescript';
/** Tests run beside it: its threads would each check what the apps share, and a compilation ends before its garbage matters. */
const NATIVE_THRIFT = { options: ['--singleThreaded'], env: { GOGC: 'off' } };
const COMPILERS = ['typescript-5.9', 'typescript-6', NATIVE];
const HOSTS = { egg3: 'test/hosts/egg3', egg4: '.', egg41: 'test/hosts/egg41' };
const SCHEMAS = ['arktype', 'valibot', 'zod'];
const KINDS = { esm: 'module', commonjs: 'commonjs' };
const RESOLUTIONS = {
  node16: { module: 'node16' },
  nodenext: { module: 'nodenext' },
  bundler: { module: 'preserve', moduleResolution: 'bundler' },
  // as @eggjs/tsconfig of egg 3 says. TypeScript 5 then finds modules without `exports` of package.json, later ones as bundlers do
  commonjs: { module: 'commonjs', esModuleInterop: true, emitDecoratorMetadata: true },
  'newer-node': { module: 'nodenext', types: ['node', './newer-node'] },
};

/**
 * An app that declares its events is another one: what it declares is declared for all of its files. With decorators of the standard, what needs no
 * others is compiled once more.
 */
const APPS = {
  open: { include: ['*.ts'] },
  declared: { include: ['declared/*.ts'] },
  standard: { include: ['tegg.ts'], compilerOptions: { experimentalDecorators: false } },
};

const words = process.argv.slice(2);
rmSync(join(ROOT, FOLDER), { recursive: true, force: true });
for (const host of Object.keys(HOSTS)) makeApps(host);
const jobs = COMPILERS.flatMap(compiler =>
  Object.keys(HOSTS).flatMap(host =>
    Object.keys(KINDS).flatMap(kind =>
      Object.keys(RESOLUTIONS).flatMap(resolution => Object.keys(APPS).map(app => ({ compiler, host, kind, resolution, app }))),
    ),
  ),
)
  .filter(isPossible)
  .filter(job => (words.length > 0 ? words.every(word => Object.values(job).includes(word)) : isNeeded(job)));
await Promise.all(
  COMPILERS.map(compiler => (compiler === NATIVE ? compileEach : compileInOne)(jobs.filter(job => job.compiler === compiler))),
);

function isPossible({ host, kind, resolution, app }) {
  // emitDecoratorMetadata is not for decorators of the standard
  if (resolution === 'commonjs') return kind === 'commonjs' && host !== 'egg41' && app !== 'standard';
  // it is ESM alone, which node16 lets no CommonJS file import, whatever we do
  return `${host} ${kind} ${resolution}` !== 'egg41 commonjs node16';
}

/**
 * How modules are found does not depend on the version of Egg: each pair of a compiler, a host and a way is there, but not each combination.
 * Declared events are there with each compiler, each host, each kind and each way, but only one of these differs at a time. Decorators of the
 * standard depend on the compiler alone. Where any compiler will do, it is the native one, which takes a third of the time.
 */
function isNeeded({ compiler, host, kind, resolution, app }) {
  if (resolution === 'commonjs' && app === 'open') return true; // each compiler with egg 3, whose apps have it
  if (app === 'standard') return `${host} ${kind} ${resolution}` === 'egg4 esm nodenext';
  if (app === 'declared' && resolution === 'newer-node') return false;
  if (resolution === 'nodenext') return app === 'open' || host === 'egg4' || compiler === NATIVE;
  const isPlain = app === 'open' && resolution !== 'newer-node';
  return host === 'egg4' ? app === 'open' || compiler === NATIVE : isPlain && compiler === NATIVE;
}

/** An app of each kind, beside the packages that it would have. */
function makeApps(host) {
  const folder = join(ROOT, FOLDER, host);
  const plugin = join(folder, 'node_modules/egg-socket.io');
  // not a link: from there it would find another egg
  for (const name of ['package.json', 'dist', 'client.d.ts', 'contract.d.ts', 'tegg.d.ts', 'test.d.ts'])
    cpSync(join(ROOT, name), join(plugin, name), { recursive: true, filter: path => !path.endsWith('.map') });
  symlinkSync(join(ROOT, HOSTS[host], 'node_modules/egg'), join(folder, 'node_modules/egg'));
  for (const name of SCHEMAS) symlinkSync(join(ROOT, 'test/schemas/node_modules', name), join(folder, 'node_modules', name));
  for (const [kind, type] of Object.entries(KINDS)) {
    const app = join(folder, kind);
    cpSync(join(ROOT, 'test/types'), app, { recursive: true });
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', type }));
    for (const [resolution, compilerOptions] of Object.entries(RESOLUTIONS))
      for (const [name, { include, compilerOptions: own }] of Object.entries(APPS))
        writeFileSync(
          join(app, `${resolution}-${name}.json`),
          JSON.stringify({ extends: './tsconfig.json', compilerOptions: { ...compilerOptions, ...own }, include }),
        );
  }
}

/** A compiler written in JavaScript takes seconds to read the declarations of a host. */
async function compileInOne(jobs) {
  if (jobs.length === 0) return;
  const workerData = { compiler: jobs[0].compiler, ours: OURS, jobs: jobs.map(job => ({ ...job, config: join(ROOT, configOf(job)) })) };
  const worker = new Worker(new URL('types-in-one.mjs', import.meta.url), { workerData });
  worker.on('message', report);
  await once(worker, 'exit');
}

/** The native one has no such interface yet, and is fast. */
async function compileEach(jobs) {
  for (const job of jobs) {
    const folder = join(ROOT, 'node_modules', job.compiler);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    // with all that a host declares it takes six times as long: once is enough to hear what it says of ours
    const options = `${job.host} ${job.resolution} ${job.app}` === 'egg4 nodenext open' ? [] : ['--skipLibCheck'];
    const args = [join(folder, 'bin/tsc'), '--pretty', 'false', '-p', configOf(job), ...NATIVE_THRIFT.options, ...options];
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...NATIVE_THRIFT.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', chunk => (output += String(chunk)));
    const [status] = await once(child, 'close');
    const errors = output.split('\n').filter(line => OURS.test(line));
    // a compiler that has not got as far as to the files says so without naming one
    if (status !== 0 && !/^\S+\(\d+,\d+\): error/m.test(output)) errors.push(output || `ended with ${status}`);
    report({ ...job, version, errors });
  }
}

function configOf({ host, kind, resolution, app }) {
  return `${FOLDER}/${host}/${kind}/${resolution}-${app}.json`;
}

function report({ version, host, kind, resolution, app, errors }) {
  console.log(
    [`TypeScript ${version}, types of ${host}, ${kind}, ${resolution}, ${app}: ${errors.length === 0 ? 'ok' : 'failed'}`, ...errors].join(
      '\n',
    ),
  );
  if (errors.length > 0) process.exitCode = 1;
}
