/** The chat with tegg, started by the script of `npm run start:tegg`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, connect, newClient, next, refusal } from '../support/client';
import { npmStart } from '../support/example';
import { freePort } from '../support/port';

test('the example chat with tegg', { timeout: 120_000 }, async t => {
  const { listening } = npmStart(t, await freePort(), '--tegg');
  const url = await listening();

  await t.test('has a page with the script of the client', async () => {
    const page = await (await fetch(url)).text();
    for (const [, path] of page.matchAll(/src="([^"]+)"/g)) assert.equal((await fetch(url + path)).status, 200, path);
    assert.equal(page.match(/src=/g)?.length, 2);
  });

  assert.equal((await refusal(newClient(t, `${url}/chat`))).message, 'Please enter a name');
  const [ada, bob] = [
    await connect(t, `${url}/chat`, { auth: { name: ' Ada ' } }),
    await connect(t, `${url}/chat`, { auth: { name: 'Bob' } }),
  ];

  await t.test('keeps the messages of a room, and sends them to the others in it', async () => {
    assert.deepEqual(await ask(ada, 'join', 'hall'), []);
    assert.deepEqual(await ask(bob, 'say', 'hall', 'hi'), { error: { code: 'FORBIDDEN', message: 'Join the room first' } });
    await ask(bob, 'join', 'hall');
    const message = next(bob, 'message');
    const said = { id: 1, from: 'Ada', text: 'good morning' };
    assert.deepEqual(await ask(ada, 'say', 'hall', ' good morning '), said);
    assert.deepEqual(await message, ['hall', said]);
    assert.deepEqual(await ask(bob, 'join', 'hall'), [said]);
    assert.deepEqual(await ask(bob, 'room:list'), ['hall']);
  });

  await t.test('refuses what does not fit the contract', async () => {
    const { error } = (await ask(ada, 'say', 'hall', '')) as { error: { code: string } };
    assert.equal(error.code, 'INVALID_ARGUMENT');
  });

  await t.test('announces by HTTP, and says who has left', async () => {
    const announcement = next(bob, 'announcement');
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/announcements`, { method: 'POST', headers, body: JSON.stringify({ text: 'Tea is ready' }) });
    assert.deepEqual(await answer.json(), { announced: true });
    assert.deepEqual(await announcement, ['Tea is ready']);
    const left = next(bob, 'left');
    ada.disconnect();
    assert.deepEqual(await left, ['Ada']);
  });
});
