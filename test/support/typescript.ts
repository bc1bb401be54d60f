/** TypeScript in the files of an app: checked against the types of this package and of Egg, and made into what Egg loads. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import ts from 'typescript-5.9'; // the newest version has no interface to its parts
import { type Files, HOST, ROOT, removeApp, writeApp } from './app';
import { teggApp } from './tegg';

const OPTIONS = '--ignoreConfig --noEmit --strict --skipLibCheck --target es2022 --module nodenext --lib es2023,dom --types node';

/** Throws what the compiler finds, but for an app's tests, whose runner is not here. The types that it checks against are those of egg 4, the project's own. */
export async function checkTypes(t: TestContext, files: Files): Promise<void> {
  const paths = Object.keys(files).filter(path => /\.m?ts$/.test(path) && !path.startsWith('test/'));
  if (paths.length === 0 || HOST !== 'egg4') return;
  const cwd = await writeApp(files);
  t.after(() => removeApp(cwd));
  const options = usesTegg(files) ? `${OPTIONS} --experimentalDecorators` : OPTIONS;
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  await new Promise<void>((resolve, reject) => {
    execFile(process.execPath, [compiler, ...options.split(' '), ...paths], { cwd }, (error, output) =>
      error ? reject(new Error(output || error.message)) : resolve(),
    );
  });
}

/**
 * The same files, as the CommonJS that the apps of the tests are in: JavaScript in place of TypeScript, and in place of ESM.
 * (A whole ESM app is in the test of the packed package.)
 */
export function toJavaScript(files: Files): Files {
  const compiled: Files = Object.fromEntries(
    Object.entries(files).map(([path, code]) => {
      if (!/\.m?ts$/.test(path) && !(path.endsWith('.js') && /^export default /m.test(code))) return [path, code];
      const module = path.endsWith('.mts') ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS;
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: {
          target: ts.ScriptTarget.ES2022,
          module,
          esModuleInterop: true,
          experimentalDecorators: true,
          emitDecoratorMetadata: true, // as @eggjs/tsconfig has it
        },
      });
      return [path.replace(/ts$/, 'js'), outputText];
    }),
  );
  return usesTegg(files) ? teggApp(compiled) : compiled;
}

function usesTegg(files: Files): boolean {
  return Object.values(files).some(code => code.includes("'egg-socket.io/tegg'"));
}
