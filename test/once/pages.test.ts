/** What the pages say of the source. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../support/app';
import { documentedFaults } from '../support/documented-fault';
import { PROMISES, SET_UPS, WAYS } from '../support/recovery-promises';

test('docs/typescript.md lists all that the package exports, and nothing else', async () => {
  const declarations = await read('dist/index.d.ts');
  const lists = [...declarations.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) => list.split(','));
  const named = [...declarations.matchAll(/^export (?:declare )?(?:class|const|function|interface|type) (\w+)/gm)];
  const exported = [...lists.map(name => name.replace(/^\s*type /, '').trim()), ...named.map(([, name = '']) => name)];

  const [, section = ''] = /^## What is exported\n(.*?)^## /ms.exec(await read('docs/typescript.md')) ?? [];
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell);
  const listed = [...cells.join().matchAll(/`(\w+)[`<]/g)].map(([, name = '']) => name);
  assert.deepEqual(listed.toSorted(), exported.filter(name => name !== '').toSorted());
});

test('the drawing of folders in ARCHITECTURE.md is that of the imports', async () => {
  await assert.doesNotReject(promisify(execFile)(process.execPath, [join(ROOT, 'scripts/folders.mjs'), '--check']));
});

test('the files that CONTRIBUTING.md has for ten changes are there, and have the names that it gives', async () => {
  const [, section = ''] = /^## To change X, open Y\n(.*?)^## /ms.exec(await read('CONTRIBUTING.md')) ?? [];
  const rows = [...section.matchAll(/^\| (.*) \|$/gm)].slice(2).map(([, row = '']) => row);
  assert.ok(rows.length >= 10);
  for (const row of rows) {
    const paths = [...row.matchAll(/\]\(([^)#]+)/g)].map(([, path = '']) => path);
    const sources = (await Promise.all(paths.map(read))).join();
    const [, open = ''] = row.split(' | ');
    for (const [, name = ''] of open.matchAll(/`(\w+)`/g)) assert.match(sources, new RegExp(`\\b${name}\\b`), row);
  }
});

test('the functions that ARCHITECTURE.md names for a packet and a connection are in the files that it links to', async () => {
  const lines = [...(await read('ARCHITECTURE.md')).matchAll(/^(?!\|).*\]\((src\/path\/\w+\.ts)\).*$/gm)];
  assert.ok(lines.length >= 2);
  for (const [line, path = ''] of lines) {
    const source = await read(path);
    for (const [, name = ''] of line.matchAll(/`(\w+)`/g)) assert.match(source, new RegExp(`\\b${name}\\b`), `${name} in ${path}`);
  }
});

test('docs/reliability.md promises to recover what the matrix of recovery tests', async () => {
  const [, table = ''] = /^(\| lost by .*?)\n\n/ms.exec(await read('docs/reliability.md')) ?? [];
  const [head = [], , ...rows] = table.split('\n').map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim().replaceAll('`', '')),
  );
  const headings: Partial<Record<string, string>> = { memory: 'one worker', hub: 'several workers' };
  assert.deepEqual(head, ['lost by', ...SET_UPS.map(setUp => headings[setUp] ?? setUp)]);
  const words = { always: 'yes', never: 'no', 'after an event that is kept': 'yes, after an event' };
  assert.deepEqual(
    rows,
    WAYS.map(way => [way, ...SET_UPS.map(setUp => words[PROMISES[way][setUp]])]),
  );
});

test('each fault in docs/backends.md is compared with what a test sees, with each adapter of its row', async () => {
  const faults = documentedFaults();
  assert.ok(faults.length >= 15);
  const files = (await readdir(join(ROOT, 'test/once'))).filter(name => name.endsWith('.test.ts'));
  const sources = await Promise.all(files.map(async name => read(join('test/once', name))));
  const calls = sources.flatMap(source =>
    [...source.matchAll(/\bdocumentedFault\(\s*([^,]+),\s*(['`])(.*?)\2/gs)].map(([, adapter = '', , fault = '']) => {
      const parts = fault.split(/\$\{[^}]*\}/).map(text => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      return { source, adapter, pattern: new RegExp(`^${parts.join('(.*)')}$`) };
    }),
  );
  for (const { fault, adapters } of faults)
    for (const name of adapters) {
      const isTested = calls.some(({ source, adapter, pattern }) => {
        const match = pattern.exec(fault);
        if (!match) return false;
        // what is a variable of the test has its values as texts in the same file
        const isText = (text = ''): boolean => source.toLowerCase().includes(`'${text.toLowerCase()}'`);
        return match.slice(1).every(isText) && (adapter.startsWith(`'`) ? adapter === `'${name}'` : isText(name));
      });
      assert.ok(isTested, `${name}: ${fault}`);
    }
});

async function read(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}
