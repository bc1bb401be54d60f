/** Which addresses are counted, and what counts as one. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { countedAs, loadRateLimiter } from '../support/parts';

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
    ['64:ff9b::203.0.113.7', '64:ff9b:0:0'],
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
