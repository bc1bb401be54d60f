/** The chat with tegg, started by the script of `npm run start:tegg`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ioAt } from 'egg-socket.io/test';
import { npmStart } from '../support/example';
import { freePort } from '../support/port';

test('the example chat with tegg', { timeout: 120_000 }, async t => {
  const { listening } = npmStart(t, await freePort(), '--tegg');
  const url = await listening();
  const io = ioAt(url);

  await t.test('has a page with the script of the client', async () => {
    const page = await (await fetch(url)).text();
    for (const [, path] of page.matchAll(/src="([^"]+)"/g)) assert.equal((await fetch(url + path)).status, 200, path);
    assert.equal(page.match(/src=/g)?.length, 2);
  });

  assert.equal((await io('/chat')).refused?.message, 'Please enter a name');
  const [ada, bob] = [await io('/chat', { auth: { name: ' Ada ' } }), await io('/chat', { auth: { name: 'Bob' } })];

  await t.test('keeps the messages of a room, and sends them to the others in it', async () => {
    assert.deepEqual(await ada.call('join', 'hall'), []);
    await assert.rejects(bob.call('say', 'hall', 'hi'), { code: 'FORBIDDEN', message: 'Join the room first' });
    await bob.call('join', 'hall');
    const said = { id: 1, from: 'Ada', text: 'good morning' };
    assert.deepEqual(await ada.call('say', 'hall', ' good morning '), said);
    assert.deepEqual(await bob.next('message'), ['hall', said]);
    assert.deepEqual(await bob.call('join', 'hall'), [said]);
    assert.deepEqual(await bob.call('room:list'), ['hall']);
  });

  await t.test('refuses what does not fit the contract', async () => {
    await assert.rejects(ada.call('say', 'hall', ''), { code: 'INVALID_ARGUMENT' });
  });

  await t.test('announces by HTTP, and says who has left', async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/announcements`, { method: 'POST', headers, body: JSON.stringify({ text: 'Tea is ready' }) });
    assert.deepEqual(await answer.json(), { announced: true });
    assert.deepEqual(await bob.next('announcement'), ['Tea is ready']);
    ada.disconnect();
    assert.deepEqual(await bob.next('left'), ['Ada']);
  });
});
