/** The example mini program, its own files in a simulated WeChat, against the example chat as `npm start` runs it. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ROOT } from '../support/app';
import { npmStart } from '../support/example';
import { simulate } from '../support/platforms';
import type { MiniProgram } from '../support/mini-program';
import { freePort } from '../support/port';

const FOLDER = join(ROOT, 'example/mini-program');

interface Data {
  me: { name: string } | null;
  isOnline: boolean;
  messages: { id: string; text?: string; from?: { name: string }; isGap?: boolean }[];
  online: { id: string; meta?: { name: string } }[];
  text: string;
  nameError: string;
  textError: string;
  focus: string;
  error: string;
}

test('two people talk in the example mini program', { timeout: 60_000 }, async t => {
  const url = await npmStart(t, await freePort()).listening();
  const [ada, ming] = [await Phone.open(t, url), await Phone.open(t, url)];

  await ada.do('logIn');
  await ada.shows(({ nameError, focus }) => nameError === 'Please enter a name' && focus === 'name', 'that a name is missing');
  await ada.type('onName', 'Ada');
  await ada.shows(({ nameError }) => nameError === '', 'that nothing is to be mended any more');
  await ada.do('logIn');
  await ada.shows(({ me, isOnline, error }) => me?.name === 'Ada' && isOnline && error === '', 'the lobby');
  await ming.type('onName', 'Ada');
  await ming.do('logIn');
  await ming.shows(({ nameError }) => nameError === 'Ada is taken: choose another name', 'that the name is taken');
  await ming.type('onName', 'Ming · 明');
  await ming.do('logIn');
  await ada.shows(({ online }) => online.length === 2, 'that another has come');
  await ming.shows(({ isOnline }) => isOnline, 'the lobby');

  await ming.do('say');
  await ming.shows(
    ({ textError, focus }) => textError === 'Please write something first' && focus === 'text',
    'that there is nothing to say',
  );
  await ming.type('onText', '长'.repeat(501));
  await ming.do('say');
  const tooLong = 'That is too long: 501 characters, and 500 are allowed';
  await ming.shows(({ text, textError }) => text.length === 501 && textError === tooLong, 'that it is too long');
  await ming.type('onText', '你好');
  const taps = [ming.do('say'), ming.do('say')];
  await ming.type('onText', '再见');
  await Promise.all(taps);
  await ming.shows(({ text, textError, error }) => text === '再见' && textError === '' && error === '', 'the next message');
  await ming.do('say');
  await ming.shows(({ text, textError, error }) => text === '' && textError === '' && error === '', 'that it was sent');
  await ada.shows(({ messages }) => messages.at(-1)?.text === '再见' && messages.at(-1)?.from?.name === 'Ming · 明', 'what was said');
  assert.equal(ada.count('你好'), 1);

  ada.program.hide({ sockets: 'end' });
  await ming.shows(({ online }) => online.length === 1, 'that the other has gone');
  await ming.type('onText', 'Are you there?');
  await ming.do('say');
  ada.program.show();
  await ada.shows(({ isOnline, messages }) => isOnline && messages.at(-1)?.text === 'Are you there?', 'what was said meanwhile');
  assert.equal(ada.count('再见'), 1, 'what was said before is there once');
  assert.deepEqual(ada.gaps(), []);

  ada.program.hide({ sockets: 'end' });
  ada.remembers({ id: 'long ago', text: 'The server does not keep this any more' });
  ada.program.show();
  await ada.shows(({ isOnline, messages }) => isOnline && messages.at(-1)?.text === 'Are you there?', 'what is kept');
  assert.deepEqual(ada.gaps(), [1]);
  await ada.close();
  await ming.shows(({ online }) => online.length === 1, 'that the other has closed the page');
});

test('what the page of the example mini program names is there', async () => {
  const [view, logic] = await Promise.all(['wxml', 'js'].map(type => readFile(join(FOLDER, `pages/chat/chat.${type}`), 'utf8')));
  const data = /data: \{(.*?)\n {2}\}/s.exec(logic ?? '')?.[1] ?? '';
  for (const [, handler] of (view ?? '').matchAll(/bind\w+="(\w+)"/g))
    assert.match(logic ?? '', new RegExp(`^ {2}(?:async )?${handler}\\(`, 'm'));
  for (const [, name] of (view ?? '').matchAll(/\{\{!?(\w+)/g)) if (name !== 'item') assert.match(data, new RegExp(`^ {4}${name}:`, 'm'));
});

/** The page on a phone: what a finger does, and what an eye sees. */
class Phone {
  readonly #page: Data & Record<string, (event?: object) => unknown>;
  readonly #data: Data;
  #onChange: () => void = () => {};

  private constructor(
    readonly program: MiniProgram,
    definition: object,
  ) {
    const { data } = definition as { data: Data };
    this.#data = { ...data };
    const setData = (change: Partial<Data>): void => {
      Object.assign(this.#data, change);
      this.#onChange();
    };
    this.#page = Object.assign(Object.create(definition), { data: this.#data, setData });
  }

  static async open(t: TestContext, url: string): Promise<Phone> {
    const { program } = simulate(t, 'wx', url);
    const read = async (path: string): Promise<[string, string]> => [await readFile(join(FOLDER, path), 'utf8'), path];
    const client = program.run(...(await read('client.js')), {
      'egg-socket.io-mini-program': program.requirePackage('egg-socket.io-mini-program'),
    });
    program.run(...(await read('app.js')));
    program.run(...(await read('pages/chat/chat.js')), { '../../client': client });
    const [definition] = program.pages;
    assert.ok(definition);
    return new Phone(program, definition);
  }

  async do(handler: string): Promise<void> {
    await this.#page[handler]?.();
  }

  async type(handler: string, value: string): Promise<void> {
    await this.#page[handler]?.({ detail: { value } });
  }

  count(text: string): number {
    return this.#data.messages.filter(message => message.text === text).length;
  }

  /** Which of the messages are marks of a gap. */
  gaps(): number[] {
    return [...this.#data.messages].flatMap(({ isGap }, index) => (isGap ? [index] : []));
  }

  /** It shows only this. */
  remembers(message: Data['messages'][number]): void {
    this.#data.messages = [message];
  }

  async close(): Promise<void> {
    await this.do('onUnload');
  }

  async shows(condition: (data: Data) => boolean, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`does not show ${what}: ${JSON.stringify(this.#data)}`)), 10_000);
      this.#onChange = () => {
        if (!condition(this.#data)) return;
        clearTimeout(late);
        resolve();
      };
      this.#onChange();
    });
  }
}
