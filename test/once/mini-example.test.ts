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
  isSending: boolean;
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

  await ada.do('cut');
  await ada.shows(({ isOnline }) => !isOnline, 'that the network is cut');
  await ming.type('onText', 'Where are you?');
  await ming.do('say');
  await ada.type('onText', 'In a tunnel');
  const sent = ada.do('say');
  await ada.shows(({ isSending }) => isSending, 'that this waits for the network');
  await ada.do('cut');
  await sent;
  await ada.shows(
    ({ messages, text }) => messages.at(-1)?.text === 'In a tunnel' && text === '',
    'what was sent when the network was back',
  );
  await ming.shows(({ messages }) => messages.at(-1)?.text === 'In a tunnel', 'what was said in the tunnel');
  assert.deepEqual([ada.count('Where are you?'), ada.count('In a tunnel'), ming.count('In a tunnel'), ada.gaps()], [1, 1, 1, []]);

  await ada.do('cut');
  await ada.shows(({ isOnline }) => !isOnline, 'that the network is cut');
  ada.forgetsSession();
  for (const name of ['Gus', 'Gil']) {
    const other = await Phone.open(t, url);
    await other.type('onName', name);
    await other.do('logIn');
    await other.shows(({ isOnline }) => isOnline, 'the lobby');
    for (let index = 1; index <= 26; index++) {
      await other.type('onText', `${name} ${index}`);
      await other.do('say');
    }
    await other.close();
  }
  await ada.do('cut');
  await ada.shows(({ messages }) => messages.at(-1)?.text === 'Gil 26', 'what is kept');
  const [gap = 0, ...more] = ada.gaps();
  assert.deepEqual([ada.texts().slice(gap - 1, gap + 2), more], [['In a tunnel', undefined, 'Gus 3'], []]);
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
    const names = ['egg-socket.io-mini-program', 'egg-socket.io-mini-program/client'];
    const packages = Object.fromEntries(names.map(name => [name, program.requirePackage(name)]));
    const client = program.run(...(await read('client.js')), packages);
    program.run(...(await read('app.js')));
    program.run(...(await read('pages/chat/chat.js')), { ...packages, '../../client': client });
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

  /** What its socket would recover without the room's history is kept for two minutes: as if these were over. */
  forgetsSession(): void {
    const socket = Reflect.get(this.#page, 'socket') as object; // it has logged in
    Object.assign(socket, { _pid: undefined });
  }

  texts(): (string | undefined)[] {
    return [...this.#data.messages].map(({ text }) => text);
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
