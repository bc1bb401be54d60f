/** `npx egg-socket.io` */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DOCUMENTS, writeDocument } from './documents';
import { migrate, SKIPPED } from './migrate';
import { complain, oneLine, print } from './output';

const USAGE = `Usage: npx egg-socket.io migrate [folder]
       npx egg-socket.io asyncapi | reference | client [folder] [--out file]

migrate
  Reads the source of an app that was written for egg-socket.io 4 (JavaScript and TypeScript), and prints what to write instead for each old use:
    breaks      fails, or does something else
    deprecated  goes on, with a line in the log
    look        goes on, but for a case that the source does not show
  Folders named ${SKIPPED.join(', ')} and hidden ones are skipped.

asyncapi, reference, client
  Starts the app, without listening to a port, and writes a document of its contracts: an AsyncAPI 3 document in JSON, a reference in Markdown,
  or types in TypeScript for the official client. Compile an app in TypeScript first.
    --out file  the file to write; default: the standard output

folder: that of the app; default: the current one.
Exits with 1 if something breaks, a file could not be read or a document could not be made; with 2 if it is called in another way; else with 0.`;

interface Call {
  readonly command: string;
  readonly folder: string;
  /** The file to write. */
  readonly out: string | undefined;
}

void main().then(code => (process.exitCode = code));

async function main(): Promise<number> {
  let call: Call | undefined;
  try {
    call = readCall();
  } catch (error) {
    complain(`${oneLine(error)}\n\n${USAGE}`);
    return 2;
  }
  if (!call) {
    print(USAGE);
    return 0;
  }
  const { command, folder, out } = call;
  return command === 'migrate' ? migrate(folder) : writeDocument(command, folder, out);
}

/** Undefined if help is asked for. @throws Error if the call is wrong */
function readCall(): Call | undefined {
  const options = { help: { type: 'boolean', short: 'h' }, out: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (values.help) return undefined;
  const [command, folder = '.', ...more] = positionals;
  if (command === undefined) throw new Error('no command is given');
  const isDocument = DOCUMENTS.includes(command);
  if (more.length > 0 || !(isDocument || command === 'migrate')) throw new Error(`no such command: ${positionals.join(' ')}`);
  if (values.out !== undefined && !isDocument) throw new Error(`${command} has no option --out`);
  const path = resolve(folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${folder} is no folder`);
  return { command, folder: path, out: values.out };
}
