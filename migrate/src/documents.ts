/** `npx egg-socket.io asyncapi | reference | client [folder] [--out file]` */
import { writeFileSync } from 'node:fs';
import { runWithEgg } from './app-process';
import { complain, messageOf } from './output';

/** The names of the commands, and of the documents. */
export const DOCUMENTS: readonly string[] = ['asyncapi', 'reference', 'client'];

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
    complain(messageOf(error));
    return 1;
  }
}

async function documentOf(name: string, folder: string): Promise<Exclude<Message, { readonly problem: string }>> {
  const message = await start(name, folder);
  if ('problem' in message) throw new Error(message.problem);
  return message;
}

async function start(name: string, folder: string): Promise<Message> {
  try {
    return (await runWithEgg(folder, 'server/write.js', 'write', [name])) as Message; // of our own process
  } catch (error) {
    throw new Error(`the app does not start: ${messageOf(error)}`, { cause: error });
  }
}
