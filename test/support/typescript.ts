/** TypeScript in the files of an app: checked against the types of this package and of Egg, and made into what Egg loads. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import ts from 'typescript-5.9'; // the newest version has no such interface
import { type Files, HOST, ROOT, writeApp } from './app';

/** Throws with what the compiler finds. The types that are checked against are those of egg 4, the project's own. */
export async function checkTypes(t: TestContext, files: Files): Promise<void> {
  const paths = Object.keys(files).filter(path => /\.m?ts$/.test(path));
  if (paths.length === 0 || HOST !== 'egg4') return;
  const folder = await writeApp(files);
  t.after(() => rm(folder, { recursive: true, force: true }));
  const program = ts.createProgram(
    paths.map(path => join(folder, path)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    },
  );
  const found = ts.getPreEmitDiagnostics(program);
  if (found.length === 0) return;
  const { formatDiagnostics, sys } = ts;
  throw new Error(
    formatDiagnostics(found, { getCurrentDirectory: () => folder, getCanonicalFileName: name => name, getNewLine: () => sys.newLine }),
  );
}

/** The same files, with JavaScript in place of TypeScript. */
export function toJavaScript(files: Files): Files {
  return Object.fromEntries(
    Object.entries(files).map(([path, code]) => {
      if (!/\.m?ts$/.test(path)) return [path, code];
      const module = path.endsWith('.mts') ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS;
      const { outputText } = ts.transpileModule(code, {
        compilerOptions: { target: ts.ScriptTarget.ES2022, module, esModuleInterop: true },
      });
      return [path.replace(/ts$/, 'js'), outputText];
    }),
  );
}
