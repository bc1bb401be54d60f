/** `npx egg-socket.io doctor [folder] [--url address]` */
import { runWithEgg } from './app-process';
import { colored, complain, messageOf, print } from './output';

type Level = 'ok' | 'look' | 'problem';

/** What the process with the app's Egg sends. */
interface Result {
  /** Undefined if the config cannot be read. */
  readonly env?: string;
  readonly findings: readonly { readonly level: Level; readonly text: string; readonly remedy?: string }[];
}

const COLORS: Record<Level, number> = { ok: 32, look: 33, problem: 31 };

/** Prints what is found. Returns the code to exit with. */
export async function doctor(folder: string, url: string | undefined): Promise<number> {
  let result: Result;
  try {
    result = (await runWithEgg(folder, 'doctor/doctor.js', 'doctor', [url])) as Result; // of our own process
  } catch (error) {
    complain(`the app's set-up cannot be checked: ${messageOf(error)}`);
    return 1;
  }
  const { env, findings } = result;
  if (env !== undefined) print(`The config of the environment ${env}, which EGG_SERVER_ENV sets:\n`);
  for (const { level, text, remedy } of findings)
    print(
      `${colored(level, COLORS[level])}${' '.repeat(9 - level.length)}${text}${remedy === undefined ? '' : `\n${' '.repeat(9)}-> ${remedy}`}`,
    );
  const count = (wanted: Level): number => findings.filter(({ level }) => level === wanted).length;
  print(`\nproblems: ${count('problem')}, look: ${count('look')}, ok: ${count('ok')}`);
  print('What is checked, and what is not, is in egg-socket.io/docs/doctor.md.');
  return count('problem') > 0 ? 1 : 0;
}
