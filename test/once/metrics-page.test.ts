/** docs/metrics.md has each metric, as it is declared. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';
import { METRIC_LIST } from '../support/parts';

const ROW = /^\| `([a-z_.]+)` +\| ([a-z]+) +\| `([^`]+)` +\|.*\| ([^|]+?) +\|$/gm;

test('the page lists each metric with its kind and unit, and no others', async () => {
  const page = await readFile(join(ROOT, 'docs/metrics.md'), 'utf8');
  const rows = [...page.matchAll(ROW)].map(([, ...cells]) => cells);
  assert.deepEqual(
    rows,
    METRIC_LIST.map(([name, { kind, unit, help }]) => [name, kind, unit, help]),
  );
});
