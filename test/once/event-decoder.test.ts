/** The decoder for plain events against Socket.IO's own, with messages that are made up at random. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Server } from 'socket.io';
import { decodeEvent, guardDecoder } from '../support/parts';
import { randomFrom } from '../support/random';

const MESSAGES = 20_000;

/** What our decoder has to take: an event with its data in a list. */
const PLAIN_EVENT = /^42(\/[^,]*,)?\d{0,15}\[/;

const { Decoder } = guardDecoder(new Server()._parser, {
  newest: undefined,
  maxAuth: 64_000,
  onNested: () => {},
  onPart: () => {},
  onComplete: () => {},
});

/** What the usual way makes of a message: a packet, or undefined where it throws or waits for more. */
function usual(message: string): unknown {
  if (!message.startsWith('4')) return undefined;
  const decoder = new Decoder();
  let packet: unknown;
  decoder.on('decoded', decoded => (packet = decoded));
  try {
    decoder.add(message.slice(1));
  } catch {
    return undefined;
  }
  return packet;
}

function assertSame(message: string): 'direct' | 'usual' {
  const bytes = Buffer.from(message);
  const expected = usual(bytes.toString()); // half a character does not get over the network
  const packet = decodeEvent(bytes);
  if (packet || (expected && PLAIN_EVENT.test(message))) assert.deepStrictEqual(packet, expected, JSON.stringify(message));
  return packet ? 'direct' : 'usual';
}

/** The first three of each are those of a plain event. */
const PIECES = {
  type: ['42', '42', '42', '43', '40', '41', '45', '451-', '44', '2', '4', '47', '32', ''],
  namespace: ['', '/chat,', '/ü/é,', '/,', '/ch%20at,', '/a?b=c,', '/no-comma', 'chat,', '//,', '/1,'],
  id: ['', '7', '999999999999999', '0', '007', '9999999999999999', ' ', ' 1', '1 ', '1.5', '-1', '1e3', '٣'],
  name: [
    '"a"',
    '"ü€😀"',
    '5',
    '""',
    '-0',
    '1e400',
    '"connect"',
    '"disconnect"',
    '"newListener"',
    '"__proto__"',
    'null',
    'true',
    '[]',
    '{}',
    '',
  ],
  value: [
    '1',
    '{"a":{"b":[1,2,{"c":null}]}}',
    '"\\u0000\\ud800"',
    '{"__proto__":{"x":1}}',
    '{"_placeholder":true,"num":0}',
    '1e999',
    '"\u2028"',
    '[]',
    '"\\',
    '01',
    '',
  ],
} as const;

test('an event is decoded as by Socket.IO, and everything else left to it', () => {
  const random = randomFrom(5);
  const pick = (from: readonly string[]): string => from[random(random(3) === 0 ? from.length : 3)] ?? ''; // the first three are fine
  const counts = { direct: 0, usual: 0 };
  for (let n = 0; n < MESSAGES; n++) {
    const values = Array.from({ length: random(4) }, () => pick(PIECES.value));
    let message = `${pick(PIECES.type)}${pick(PIECES.namespace)}${pick(PIECES.id)}[${[pick(PIECES.name), ...values].join(',')}]`;
    for (let changes = Math.max(0, random(6) - 3); changes > 0; changes--) {
      const at = random(message.length + 1);
      message =
        message.slice(0, at) + pick(['', '"', '[', ']', ',', '/', ' ', '4', '2', '\\', '\uFEFF', '{']) + message.slice(at + random(2));
    }
    counts[assertSame(message)]++;
  }
  assert.ok(counts.direct > MESSAGES / 5 && counts.usual > MESSAGES / 5, JSON.stringify(counts)); // else the messages are no test
});

test('the deepest event that is allowed is decoded, and one level more is left to the parser, which refuses it', () => {
  const nested = (levels: number): string => `42${'['.repeat(levels)}${']'.repeat(levels)}`.replace('[', '["deep",');
  assert.equal(assertSame(nested(64)), 'direct');
  assert.equal(assertSame(nested(65)), 'usual');
  assert.equal(usual(nested(65)), undefined);
});

test('an event without data, or in bytes that are no text, is left to the parser', () => {
  for (const message of ['42', '42/', '42/chat', '42/chat,', '4212', '42/chat,12', '42{"a":1}', '42"text"'])
    assert.equal(assertSame(message), 'usual', message);
  assert.equal(decodeEvent(Buffer.from([0x34, 0x32, 0x5b, 0xff])), undefined);
});
