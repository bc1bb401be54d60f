/** Options by patterns of room names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRoomPatterns } from '../support/parts';

const PLACE = "config.io.namespace['/'].presence";

function patternsOf(...names: string[]): ReturnType<typeof readRoomPatterns<string>> {
  return readRoomPatterns(PLACE, Object.fromEntries(names.map(name => [name, name])), (_place, value) => String(value));
}

test('a room has the options of the only pattern that matches it', () => {
  const patterns = patternsOf('lobby', 'room:*', 'team-*-chat', 'a*');
  for (const [room, expected] of [
    ['lobby', 'lobby'],
    ['lobby2', undefined],
    ['room:1', 'room:*'],
    ['room:a:b*c', 'room:*'],
    ['room:', undefined],
    ['room', undefined],
    ['team-red-chat', 'team-*-chat'],
    ['team-chat', undefined],
    ['team--chat', undefined],
    ['team---chat', 'team-*-chat'],
    ['ab', 'a*'],
    [`room:${'1'.repeat(195)}`, 'room:*'],
    [`room:${'1'.repeat(196)}`, undefined],
    ['constructor', undefined],
    ['__proto__', undefined],
  ] as const)
    assert.equal(patterns.of(room), expected, room);
  const ends = patternsOf('*:feed', '*:vip');
  assert.equal(ends.of('sports:feed'), '*:feed');
  assert.equal(ends.of(':feed'), undefined);
});

test('a * matches all rooms but those that are reserved', () => {
  const patterns = patternsOf('*');
  assert.equal(patterns.of('1'), '*');
  assert.equal(patterns.of('a\nb'), '*');
  assert.equal(patterns.of('$io:user:7'), undefined);
});

test('two patterns that can match the same room stop the boot, whatever their order', () => {
  for (const [one, other] of [
    ['*', 'lobby'],
    ['*', 'room:*'],
    ['room:*', 'room:1'],
    ['room:*', 'room:a:*'],
    ['room:*', '*:vip'],
    ['room:*:vip', '*:vip'],
    ['a*b', 'ab*bb'],
  ] as const)
    for (const names of [
      [one, other],
      [other, one],
    ])
      assert.throws(() => patternsOf(...names), { name: 'SetupError', code: 'IO_ROOM_PATTERN_AMBIGUOUS' }, names.join(' '));
  assert.throws(
    () => patternsOf('room:*', '*:vip'),
    /config\.io\.namespace\['\/'\]\.presence has 'room:\*' and '\*:vip', which match the same rooms; make one of them narrower/,
  );
});

test('patterns that cannot match the same room live together', () => {
  assert.doesNotThrow(() => patternsOf('room:*', 'room:', 'lobby', 'team:*', 'x:*:vip', 'x:*:feed'));
});

test('a pattern that cannot be one stops the boot', () => {
  for (const [name, problem] of [
    ['', /presence\[''\] must be a name of rooms with one \* at most, such as 'room:\*'/],
    ['*:*', /presence\['\*:\*'\] must be a name of rooms with one \* at most/],
    ['$io:user:7', /presence\['\$io:user:7'\] must be a name that does not begin with '\$io:', which is reserved/],
    ['$io:*', /presence\['\$io:\*'\] must be a name that does not begin with '\$io:'/],
  ] as const)
    assert.throws(() => patternsOf(name), problem);
  assert.throws(() => readRoomPatterns(PLACE, ['room:*'], () => 1), /must be an object with patterns of rooms, .*, not an array/);
});
