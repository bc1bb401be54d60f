/** Runs a part of the plugin in a process of its own, with the Egg of an app: it may log to its output, and may never end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Of the plugin. This file is in `migrate/dist`. */
const PLUGIN = join(__dirname, '../../dist');

/** Time in ms for the answer: such as for an app to start, and for its schemas to be converted. */
const ANSWER_TIMEOUT = 60_000;

/** Time in ms for an app to close. What it then still does is of no use. */
const CLOSE_TIMEOUT = 5000;

/** Time in ms to read what is left of the output of an app that has ended. A process that has left the group may hold it open. */
const OUTPUT_TIMEOUT = 1000;

/** Signals that end the command, and would not reach the group of the app. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/**
 * Resolves with the message that it sends. Whatever it has started ends with it.
 *
 * @param file of the plugin
 * @param name of the function there, whose first argument is the package egg of the app, with what its framework has in place of that, if it has one
 * @throws Error with the reason, and the last lines of the output, if there is no message
 */
export async function runWithEgg(folder: string, file: string, name: string, args: readonly unknown[]): Promise<unknown> {
  // finds Egg from the folder of the app, as the app does; egg 3 is CommonJS, and egg 4.1 is not
  const script = `import { createRequire } from 'node:module';
    import { pathToFileURL } from 'node:url';
    const require = createRequire(import.meta.url);
    const { egg: { framework = 'egg' } = {} } = require('./package.json');
    const own = await import(framework);
    const eggOf = async name => import(pathToFileURL(createRequire(import.meta.resolve(name)).resolve('egg')));
    // with pnpm, an app finds its framework only, and not egg; a framework that is built on another one finds no egg either, and exports what is needed
    const egg = framework === 'egg' ? own : await eggOf(framework).catch(() => ({}));
    const { ${name} } = require(${JSON.stringify(join(PLUGIN, file))});
    await ${name}({ ...egg.default, ...egg, ...own.default, ...own }, ...${JSON.stringify(args.map(arg => arg ?? null))});`;
  const options = ['--input-type=module', '--eval', script];
  // detached: a process group of its own, which can be killed as a whole
  const child = spawn(process.execPath, options, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
    windowsHide: true,
  });
  const kill = (): void => killGroup(child);
  const interrupt = (): void => {
    kill();
    process.exit(1);
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (output += String(chunk)));
  let message: { readonly value: unknown } | undefined;
  let reason: string | undefined;
  let timer = setTimeout(() => {
    reason = `it has not answered after ${ANSWER_TIMEOUT / 1000} s`;
    kill();
  }, ANSWER_TIMEOUT);
  child.once('message', received => {
    message = { value: received };
    clearTimeout(timer);
    timer = setTimeout(kill, CLOSE_TIMEOUT);
  });
  child.once('exit', (code, signal) => {
    reason ??= `its process has ended with ${code === null ? signal : `exit code ${code}`}`;
    kill(); // what the app has started, and what may hold the output open
    clearTimeout(timer);
    timer = setTimeout(() => [child.stdout, child.stderr].forEach(stream => stream?.destroy()), OUTPUT_TIMEOUT);
  });
  try {
    await once(child, 'close');
  } finally {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
  if (!message) throw new Error(`${reason}${lastLinesOf(output)}`);
  return message.value;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // all of it has ended
  }
}

function lastLinesOf(output: string): string {
  const lines = output.trim().split('\n').slice(-20);
  return lines[0] === '' ? '' : `; the last lines of its output:\n${lines.join('\n')}`;
}
