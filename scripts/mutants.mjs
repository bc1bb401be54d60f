/**
 * Changes the plugin in one place after the other, and says which changes no test notices.
 *
 * npm run mutants -- router                     src files whose paths contain `router`, tested by the test files whose names do
 * npm run mutants -- in-flight shutdown         tested by test/shutdown.test.ts, too
 *
 * While it runs, `dist` is changed: run no other tests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from '@babel/parser';
import { VISITOR_KEYS } from '@babel/types';

const ROOT = process.cwd();
const PRELOAD = fileURLToPath(new URL('test-process.cjs', import.meta.url));
/** The TypeScript whose compiler can be called. */
const ts = createRequire(import.meta.url)('typescript-6');

const OTHERS = {
  ...{ '===': '!==', '!==': '===', '<': '<=', '<=': '<', '>': '>=', '>=': '>', '&&': '||', '||': '&&' },
  ...{ '+': '-', '-': '+', '*': '/', '/': '*', '+=': '-=', '-=': '+=' },
};

const [word = '', ...more] = process.argv.slice(2);
const sources = filesIn('src').filter(path => path.includes(word));
const tests = [...filesIn('test'), ...filesIn('test/once')].filter(path =>
  [word, ...more].some(name => path.split('/').at(-1).includes(name)),
);
if (word === '' || sources.length === 0 || tests.length === 0) {
  console.error(
    `${sources.length} source files and ${tests.length} test files match. Name a source file, then its tests: npm run mutants -- in-flight shutdown`,
  );
  process.exit(1);
}
console.log(`${sources.join(', ')}, by ${tests.join(', ')}`);
if (!(await testsPass())) throw new Error('The tests fail without a change.');

process.on('SIGINT', () => process.exit(130)); // and what is changed is put back
let count = 0;
let survivors = 0;
for (const path of sources) {
  const source = readFileSync(join(ROOT, path), 'utf8');
  const built = join(ROOT, path.replace(/^src/, 'dist').replace(/ts$/, 'js'));
  const original = readFileSync(built);
  const restore = () => writeFileSync(built, original);
  process.once('exit', restore);
  for (const { start, end, text } of mutantsOf(source)) {
    writeFileSync(built, compile(source.slice(0, start) + text + source.slice(end)));
    utimesSync(built, 0, 0); // if this ends before the file is put back, the next build sees that it is old
    count += 1;
    if (!(await testsPass())) continue;
    survivors += 1;
    const line = source.slice(0, start).split('\n').length;
    console.log(`${path}:${line}: no test notices that this\n  ${source.slice(start, end)}\nis this:\n  ${text}`);
  }
  restore();
  process.off('exit', restore);
}
console.log(`${count} changes, ${survivors} of them not noticed`);

/** Statements that are left out, conditions that are turned round, operators that are another. */
function mutantsOf(source) {
  const mutants = [];
  const visit = node => {
    if (node.type.startsWith('TS')) {
      if (node.expression) visit(node.expression); // of `as` and `satisfies`; the rest are types
      return;
    }
    const change = ({ start, end }, text) => mutants.push({ start, end, text });
    if (node.type === 'ExpressionStatement') change(node, ';');
    if (node.type === 'IfStatement' || node.type === 'ConditionalExpression' || node.type === 'WhileStatement')
      change(node.test, `!(${source.slice(node.test.start, node.test.end)})`);
    if (node.type === 'BooleanLiteral') change(node, String(!node.value));
    if (node.operator in OTHERS && node.left) {
      const [left, right] = [source.slice(node.start, node.left.end), source.slice(node.right.start, node.end)];
      const between = source.slice(node.left.end, node.right.start);
      change(node, left + between.replace(node.operator, () => OTHERS[node.operator]) + right);
    }
    for (const key of VISITOR_KEYS[node.type] ?? []) for (const child of [node[key]].flat()) if (child) visit(child);
  };
  visit(parse(source, { sourceType: 'module', plugins: ['typescript'] }).program);
  return mutants;
}

function compile(source) {
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}

/** On egg 4. The first file that fails is enough. */
async function testsPass() {
  for (const path of tests) {
    const args = [`--require=${PRELOAD}`, join('.build', path.replace(/ts$/, 'js'))];
    const [status] = await once(
      spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore', timeout: 300_000, killSignal: 'SIGKILL' }),
      'exit',
    );
    if (status !== 0) return false;
  }
  return true;
}

function filesIn(folder) {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: folder === 'src' })
    .filter(name => name.endsWith(folder === 'src' ? '.ts' : '.test.ts'))
    .map(name => join(folder, name));
}
