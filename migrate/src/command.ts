/** `npx egg-socket.io` */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DOCUMENTS, writeDocument } from './documents';
import { migrate, SKIPPED } from './migrate';
import { doctor } from './doctor';
import { complain, oneLine, print } from './output';

const USAGE = `Usage: npx egg-socket.io migrate [folder]
       npx egg-socket.io doctor [folder] [--url address]
       npx egg-socket.io asyncapi | reference | client [folder] [--out file]

migrate
  Reads the source of an app that was written for egg-socket.io 4 (JavaScript and TypeScript), and prints what to write instead for each old use:
    breaks      fails, or does something else
    deprecated  goes on, with a line in the log
    look        goes on, but for a case that the source does not show
  Folders named ${SKIPPED.join(', ')} and hidden ones are skipped.

doctor
  Checks the set-up of an app, and prints what to do: its config, the installed versions, the limit of open files, Redis or the database. The app
  is not started. EGG_SERVER_ENV says which config is read.
    --url address  the address at which clients reach the running app: the proxies in front of it are checked, too

asyncapi, reference, client
  Starts the app, without listening to a port, and writes a document of its contracts: an AsyncAPI 3 document in JSON, a reference in Markdown,
  or types in TypeScript for the official client. Compile an app in TypeScript first.
    --out file  the file to write; default: the standard output

folder: that of the app; default: the current one.
Exits with 1 if something breaks or is a problem, a file could not be read or a document could not be made; with 2 if it is called in another way; else with 0.`;

interface Call {
  readonly command: string;
  readonly folder: string;
  /** The file to write. */
  readonly out: string | undefined;
  /** Where clients reach the running app. */
  readonly url: string | undefined;
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
  const { command, folder, out, url } = call;
  if (command === 'migrate') return migrate(folder);
  return command === 'doctor' ? doctor(folder, url) : writeDocument(command, folder, out);
}

/** Undefined if help is asked for. @throws Error if the call is wrong */
function readCall(): Call | undefined {
  const options = { help: { type: 'boolean', short: 'h' }, out: { type: 'string' }, url: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  if (values.help) return undefined;
  const [command, folder = '.', ...more] = positionals;
  if (command === undefined) throw new Error('no command is given');
  const isDocument = DOCUMENTS.includes(command);
  if (more.length > 0 || !(isDocument || command === 'migrate' || command === 'doctor'))
    throw new Error(`no such command: ${positionals.join(' ')}`);
  if (values.out !== undefined && !isDocument) throw new Error(`${command} has no option --out`);
  if (values.url !== undefined && command !== 'doctor') throw new Error(`${command} has no option --url`);
  if (values.url !== undefined && !isHttp(values.url)) throw new Error('--url is no address with http or https');
  const path = resolve(folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`${folder} is no folder`);
  return { command, folder: path, out: values.out, url: values.url };
}

function isHttp(address: string): boolean {
  return URL.canParse(address) && /^https?:$/.test(new URL(address).protocol);
}
