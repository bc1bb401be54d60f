/** docs/metrics.md and docs/grafana.json have each metric, as it is declared. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/app';
import { expressions } from '../support/dashboard';
import { METRIC_LIST, prometheusName } from '../support/parts';

const ROW = /^\| `([a-z_.]+)` +\| ([a-z]+) +\| `([^`]+)` +\|.*\| ([^|]+?) +\|$/gm;

test('the page lists each metric with its kind and unit, and no others', async () => {
  const page = await readFile(join(ROOT, 'docs/metrics.md'), 'utf8');
  const rows = [...page.matchAll(ROW)].map(([, ...cells]) => cells);
  assert.deepEqual(
    rows,
    METRIC_LIST.map(([name, { kind, unit, help }]) => [name, kind, unit, help]),
  );
});

test('the dashboard shows each metric, and no others', async () => {
  const queries = await expressions();
  const shown = queries.flatMap(({ query }) => query.match(/\b(?:socketio_server|messaging)_\w+(?=\{)/g) ?? []);
  const declared = METRIC_LIST.map(([name, { kind, unit }]) => prometheusName(name, kind, unit));
  assert.deepEqual(
    [...new Set(shown.map(name => name.replace(/_(bucket|count)$/, '')))].sort(),
    [...declared, 'socketio_server_silent_workers'].sort(),
  );
});
