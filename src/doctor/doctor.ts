/** Checks the set-up of an app: the part of `npx egg-socket.io doctor` that runs in a process of its own, with Egg in it. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { drainWarning } from '../config/drain';
import { readConfig, type Settings } from '../config/settings';
import { oneLine } from '../errors';
import { reply } from '../reply';
import { toError } from '../thrown';
import { checkAddress } from './address';
import { type AppConfig, type Egg, loadConfig } from './app-config';
import { checkBackend } from './backend';
import { type Finding, withoutName } from './finding';
import { checkOpenFiles } from './process-limits';
import { checkVersions } from './versions';

/** A warning of the config that costs clients their connections in any case. All others depend on what the app wants, and on how it is run. */
const HARMFUL = /^\[egg-socket\.io\] IO_SERVER_TIMEOUT\b/;

/** Checks the app of the current folder, and sends what was found to the parent process. @param url the public address of the running app */
export async function doctor(egg: Egg, url: string | null): Promise<void> {
  process.once('disconnect', () => process.exit()); // the command has been killed
  const findings: Finding[] = [];
  let env: string | undefined;
  try {
    const app = await loadConfig(egg, process.cwd());
    ({ env } = app);
    for await (const finding of check(app, url)) findings.push(finding);
  } catch (error) {
    findings.push({ level: 'problem', text: withoutName(oneLine(toError(error).message)) }); // of a file of the config, or a SetupError
  }
  await reply({ env, findings });
  process.exit();
}

async function* check({ config, plugin }: AppConfig, url: string | null): AsyncGenerator<Finding> {
  const warnings: string[] = [];
  const settings: Settings = readConfig(config, 1, warning => warnings.push(warning)); // it depends on how the app is started how many workers there are
  const ofDrain = drainWarning(settings.drain, starterOfWorkers(process.cwd())); // a single process has no master, which nobody knows here
  if (ofDrain !== undefined) warnings.push(ofDrain);
  for (const text of warnings) yield { level: HARMFUL.test(text) ? 'problem' : 'look', text: withoutName(text) };
  if (warnings.length === 0) yield { level: 'ok', text: 'config.io can be used' };
  yield* checkVersions(process.cwd(), plugin, settings);
  yield checkOpenFiles(settings);
  yield* await checkBackend(settings, process.cwd());
  if (url !== null) yield* checkAddress(new URL(url), settings.init);
}

/** A file of the package that starts the workers of egg 3. Empty with egg 4, whose package has another name: an unknown worker counts as one of egg 4. */
function starterOfWorkers(baseDir: string): string {
  try {
    const app = createRequire(join(baseDir, 'package.json'));
    const { egg: { framework = 'egg' } = {} } = app('./package.json') as { readonly egg?: { readonly framework?: string } }; // as Egg wants it
    return ['egg', 'egg-cluster'].reduce((file, name) => createRequire(file).resolve(name), app.resolve(framework)); // pnpm shows each package only what it names itself
  } catch {
    return '';
  }
}
