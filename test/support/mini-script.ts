/** Runs a script of a mini program against an app, as a bundler makes it of what the page shows, and holds what it prints against what it says. */
import type { TestContext } from 'node:test';
import { build } from 'esbuild';
import { ROOT } from './app';
import type { Sample } from './page';
import { type PlatformName, simulate } from './platforms';
import { Prints } from './script';

/** Far more than any script takes. */
const PATIENCE = 10_000;

/** The title of the sample may name the platform and its origin: `mini program on my`, `mini program of origin weapp://...` */
export async function runMiniProgram(t: TestContext, url: string, { code, title, place }: Sample): Promise<void> {
  const [, platform = 'wx', origin] = /^mini program(?: on (\w+))?(?: of origin (\S+))?$/.exec(title) ?? [];
  const prints = new Prints(code);
  const { program } = simulate(t, platform as PlatformName, url, { hasFunction: true, ...(origin !== undefined && { origin }) }); // a page has no other
  const main = program.run(await bundle(prints.watchedCode), place) as { run(print: Prints['print']): Promise<void> };
  const late = setTimeout(() => prints.fail(new Error(`it does not print ${prints.missing}`)), PATIENCE);
  try {
    await Promise.race([prints.done, main.run(prints.print)]);
    await prints.done;
  } finally {
    clearTimeout(late);
    program.end();
  }
}

async function bundle(script: string): Promise<string> {
  const imports = script.match(/^import .*$/gm) ?? [];
  const body = script.replaceAll(/^import .*$/gm, '');
  const contents = `${imports.join('\n')}\nexport async function run(print) { ${body}\n}`;
  const options = { bundle: true, format: 'cjs', platform: 'browser', write: false, logLevel: 'silent' } as const;
  const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: ROOT } });
  return outputFiles.map(({ text }) => text).join(''); // there is one
}
