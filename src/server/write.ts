/** Makes a document of an app's contracts: the part of `npx egg-socket.io` that runs in a process of its own, with the app in it. */
import type { EggApplication } from '../egg';
import { toAsyncApi } from '../documents/asyncapi';
import { toClientTypes } from '../documents/client';
import { describe, type Description } from '../documents/description';
import { json, toReference } from '../documents/reference';
import { reply } from '../reply';
import { toError } from '../thrown';
import { lifecycleOf } from './lifecycle';
import { Server } from './server';

/** What the command gets from this process. */
type Message = { readonly text: string; readonly warnings: readonly string[] } | { readonly problem: string };

/** The part of the package egg that is used here: its function that starts an app in this process. */
interface Egg {
  readonly start: (options: { baseDir: string }) => Promise<EggApplication & { readonly io?: unknown }>;
}

const DOCUMENTS: Readonly<Record<string, (description: Description) => string>> = {
  asyncapi: description => `${json(toAsyncApi(description))}\n`,
  client: toClientTypes,
  reference: toReference,
};

const NO_SERVER =
  'the app has no app.io: config/plugin does not turn the plugin on in this environment, or is TypeScript in a folder that is not compiled';

/** Starts the app of the current folder, which listens to no port, and sends the document, or the problem, to the parent process. */
export async function write({ start }: Egg, name: string): Promise<void> {
  process.once('disconnect', () => process.exit()); // the command has been killed
  const fail = async (error: unknown): Promise<void> => {
    await reply({ problem: describeFailure(error) });
    process.exit(1);
  };
  process.once('uncaughtException', error => void fail(error));
  const baseDir = process.cwd();
  let app: Awaited<ReturnType<Egg['start']>>;
  try {
    app = await start({ baseDir });
  } catch (error) {
    return fail(error);
  }
  await reply(await documentOf(app.io, name, baseDir));
  await app.close();
  process.exit();
}

async function documentOf(io: unknown, name: string, baseDir: string): Promise<Message> {
  if (io === undefined) return { problem: NO_SERVER };
  const lifecycle = io instanceof Server ? lifecycleOf(io) : undefined;
  if (!lifecycle) return { problem: 'the app has another copy of egg-socket.io than this command: use the one in its node_modules' };
  const { contracts } = lifecycle.namespaces;
  if (contracts.length === 0) return { problem: 'the app has no contracts: it calls app.io.of(contract) nowhere' };
  try {
    const description = await describe(contracts, baseDir);
    return { text: DOCUMENTS[name]?.(description) ?? '', warnings: description.warnings };
  } catch (error) {
    return { problem: toError(error).message };
  }
}

/** With the place in the source that has thrown it. */
function describeFailure(thrown: unknown): string {
  const { message, stack = '' } = toError(thrown);
  const [place = ''] = /\n\s+at .*/.exec(stack) ?? [];
  return `the app does not start: ${message}${place}`;
}
