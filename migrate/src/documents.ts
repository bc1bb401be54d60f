/** `npx egg-socket.io asyncapi | reference | client [folder] [--out file]` */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { complain, oneLine } from './output';

/** The names of the commands, and of the documents. */
export const DOCUMENTS: readonly string[] = ['asyncapi', 'reference', 'client'];

/** Of the plugin. This file is in `migrate/dist`. */
const WRITE = join(__dirname, '../../dist/server/write.js');

/** Time in ms for an app to close. What it then still does is of no use. */
const CLOSE_TIMEOUT = 5000;

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

/** Starts the app in a process of its own: it may log to its output, and may never end. */
async function documentOf(name: string, folder: string): Promise<Exclude<Message, { readonly problem: string }>> {
  // finds Egg from the folder of the app, as the app does; egg 3 is CommonJS, and egg 4.1 is not
  const script = `import { createRequire } from 'node:module';
    const { default: egg, start = egg.start } = await import('egg');
    await createRequire(import.meta.url)(${JSON.stringify(WRITE)}).write(start, ${JSON.stringify(name)});`;
  const args = ['--input-type=module', '--eval', script];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (output += String(chunk)));
  let message: Message | undefined;
  let timer: NodeJS.Timeout | undefined;
  child.once('message', received => {
    message = received as Message; // of our own process
    timer = setTimeout(() => child.kill('SIGKILL'), CLOSE_TIMEOUT);
  });
  await new Promise<void>((resolve, reject) => child.once('close', () => resolve()).once('error', reject));
  clearTimeout(timer);
  if (!message) throw new Error(`the app does not start: ${/^\w*Error.*$/m.exec(output)?.[0] ?? output.trim()}`);
  if ('problem' in message) throw new Error(message.problem);
  return message;
}
