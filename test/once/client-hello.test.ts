/** What a client says of itself in `auth.$io`, which is from the client and so of any shape. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helloOf } from '../support/parts';
import type { Socket } from 'socket.io';

const SECRET = 'kYx3-0.123456789_abcdef';

const of = (auth: unknown): unknown => helloOf({ handshake: { auth } } as Socket);

test('a hello has a version, and maybe a secret', () => {
  assert.deepEqual(of({ $io: { v: 1 } }), {});
  assert.deepEqual(of({ user: 7, $io: { v: 2, owner: SECRET, more: true } }), { owner: SECRET });
});

test('a secret that is too short, too long or of another type is none', () => {
  for (const owner of ['', 'short', 'x'.repeat(65), 'a b'.repeat(10), 7, null, {}, [SECRET]])
    assert.deepEqual(of({ $io: { v: 1, owner } }), {});
});

test('anything else is no hello', () => {
  for (const auth of [undefined, null, 'text', 7, [], {}, { $io: null }, { $io: 'text' }, { $io: [] }, { $io: { owner: SECRET } }])
    assert.equal(of(auth), undefined);
  for (const v of [0, -1, 1.5, Number.NaN, '1', null, {}]) assert.equal(of({ $io: { v } }), undefined);
});
