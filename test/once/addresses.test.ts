/** Which addresses are counted, and what counts as one. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { ROOT } from '../support/app';
import { Logs } from '../support/logs';
import { AddressLimits, countedAs, loadRateLimiter, shareRates } from '../support/parts';

test('an address is counted by what one customer has', () => {
  for (const [address, counted] of [
    ['203.0.113.7', '203.0.113.7'],
    [' 203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:51234', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['[0:0:0:0:0:ffff:203.0.113.7]:443', '203.0.113.7'],
    ['::ffff:808:808', '8.8.8.8'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:1:2::9', '2001:db8:1:2'],
    ['[2001:db8:1:2::9]:443', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8::', '2001:db8:0:0'],
    ['2001:0:0:1::1', '2001:0:0:1'],
    ['64:ff9b::203.0.113.7', '203.0.113.7'],
    ['64:FF9B:0:0:0:0:cb00:7107', '203.0.113.7'],
    ['64:ff9b:1::203.0.113.7', '64:ff9b:1:0'],
  ])
    assert.equal(countedAs(address), counted, address);
});

test('loopback, private and unknown addresses are not counted', () => {
  for (const address of [
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.1.1', '100.64.0.1', '0.0.0.0', '::ffff:10.0.0.1'],
    ...['::ffff:a00:1', '0:0:0:0:0:ffff:127.0.0.1', '::1', '::', 'fe80::1', 'fe80::1%eth0', 'fd00::1', 'fc00::1'],
    ...[undefined, '', 'unknown', '203.0.113', '203.0.113.7.8', '_hidden', '[', '::ffff:999.1.1.1', 'x'.repeat(10_000)],
  ])
    assert.equal(countedAs(address), undefined, address);
  for (const address of ['172.15.0.1', '172.32.0.1', '100.128.0.1', '192.169.0.1', '128.0.0.1']) assert.equal(countedAs(address), address);
});

test('an app without the package that counts is told what to install', () => {
  const message = /config\.io\.limits\.perAddress needs a package: run `npm i rate-limiter-flexible`/;
  assert.throws(() => loadRateLimiter(tmpdir()), { name: 'SetupError', code: 'IO_RATE_LIMITER_MISSING', message });
});

test('while the other processes hang, only the first handshake waits for them; counts are shared again when they answer', async () => {
  const asked: { answer(): void; fail(): void }[] = [];
  const runScript = async (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      asked.push({ answer: () => resolve([1, 60_000]), fail: () => reject(new Error('no answer')) });
    });
  const logs = new Logs();
  const limits = new AddressLimits({ connections: 9, handshakes: 2, events: 9 }, loadRateLimiter(ROOT));
  shareRates(limits, { kept: { runScript } } as unknown as Parameters<typeof shareRates>[1], logs); // all that it looks at
  const count = async (): Promise<boolean> => ((await limits.countHandshake('203.0.113.7')) ?? 0) > 0;
  const first = count();
  asked[0]?.fail();
  assert.equal(await first, false);
  assert.deepEqual([await count(), await count()], [false, true], 'at once, in this process alone');
  assert.equal(asked.length, 2, 'one question at a time');
  asked[1]?.fail();
  await new Promise(setImmediate);
  assert.equal(await count(), true);
  asked[2]?.answer();
  await new Promise(setImmediate);
  const together = count();
  asked[3]?.answer();
  assert.equal(await together, false);
  assert.equal(logs.count(/IO_ADDRESSES_UNSHARED/), 1);
});
