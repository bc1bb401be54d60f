import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig, topologyOf } from '../support/parts';

// the modes of real clusters are in test/cluster.test.ts; there is no Windows here
test('on Windows workers are alone, and told so: sticky is what helps', t => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform') ?? {};
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' });
  t.after(() => Object.defineProperty(process, 'platform', platform));
  const settings = readConfig({}, 2, () => {});
  const { routesSessions, usesHub, description, warning } = topologyOf({ workers: 2 }, settings);
  assert.deepEqual([routesSessions, usesHub], [false, false]);
  assert.match(description, /have to reach the same worker, since this is Windows; broadcasts stay in the process, since this is Windows$/);
  assert.match(warning ?? '', /IO_STICKY_MISSING/);
  assert.equal(topologyOf({ workers: 2, sticky: true }, settings).warning, undefined);
});
