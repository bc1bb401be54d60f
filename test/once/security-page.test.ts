/** SECURITY.md names a test for each defence: they are to be there, by these names. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';

test('each test that SECURITY.md names exists', () => {
  const page = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8');
  const table = page.split('\n').filter(line => line.startsWith('| '));
  const rows = table.slice(table.findIndex(line => line.startsWith('| threat')) + 1).filter(line => !line.startsWith('| -'));
  assert(rows.length >= 25);
  for (const row of rows) {
    const [, file, name] = /\[[\w/-]+\]\((test\/[\w/-]+\.test\.ts)\): (.+?) *\|$/.exec(row) ?? [];
    assert(file !== undefined && name !== undefined, `no test in the row ${row}`);
    const source = readFileSync(join(ROOT, file), 'utf8');
    const isThere = ["'", '`'].some(quote => source.includes(`test(${quote}${name}${quote}`));
    assert(isThere, `${file} has no test named ${name}`);
  }
});
