/** `npx egg-socket.io asyncapi | reference | client [folder] [--out file]` */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complain, oneLine } from './output';

/** The names of the commands, and of the documents. */
export const DOCUMENTS: readonly string[] = ['asyncapi', 'reference', 'client'];

/** Of the plugin. This file is in `migrate/dist`. */
const WRITE = join(__dirname, '../../dist/server/write.js');

/** Time in ms for an app to start, and for its schemas to be converted. */
const START_TIMEOUT = 60_000;

/** Time in ms for an app to close. What it then still does is of no use. */
const CLOSE_TIMEOUT = 5000;

/** Time in ms to read what is left of the output of an app that has ended. A process that has left the group may hold it open. */
const OUTPUT_TIMEOUT = 1000;

/** Signals that end the command, and would not reach the group of the app. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** What the process of the app sends. */
type Message = { readonly text: string; readonly warnings: readonly string[] } | { readonly problem: string };

/** Writes a document. Returns the code to exit with. */
export async function writeDocument(name: string, folder: string, out: string | undefined): Promise<number> {
  try {
    const { text, warnings } = await documentOf(name, folder);
    for (const warning of warnings) complain(`warning: ${warning}`);
    if (out === undefined) process.stdout.write(text);
    else writeFileSync(out, text);
    return 0;
  } catch (error) {
    complain(error instanceof Error ? error.message : oneLine(error));
    return 1;
  }
}

/** Starts the app in a process of its own: it may log to its output, and may never end. Whatever it has started ends with it. */
async function documentOf(name: string, folder: string): Promise<Exclude<Message, { readonly problem: string }>> {
  // finds Egg from the folder of the app, as the app does; egg 3 is CommonJS, and egg 4.1 is not
  const script = `import { createRequire } from 'node:module';
    const { default: egg, start = egg.start } = await import('egg');
    await createRequire(import.meta.url)(${JSON.stringify(WRITE)}).write(start, ${JSON.stringify(name)});`;
  const args = ['--input-type=module', '--eval', script];
  // detached: a process group of its own, which can be killed as a whole
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true, windowsHide: true });
  const kill = (): void => killGroup(child);
  const interrupt = (): void => {
    kill();
    process.exit(1);
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (output += String(chunk)));
  let message: Message | undefined;
  let reason: string | undefined;
  let timer = setTimeout(() => {
    reason = `it has not started after ${START_TIMEOUT / 1000} s`;
    kill();
  }, START_TIMEOUT);
  child.once('message', received => {
    message = received as Message; // of our own process
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
  if (!message) throw new Error(`the app does not start: ${reason}${lastLinesOf(output)}`);
  if ('problem' in message) throw new Error(message.problem);
  return message;
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
  const lines = output.trim().split('\n').slice(-10);
  return lines[0] === '' ? '' : `; the last lines of its output:\n${lines.join('\n')}`;
}
