/** What the pages say of the source. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';

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

async function read(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}
