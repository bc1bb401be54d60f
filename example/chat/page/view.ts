/** What the page looks like. It knows nothing of sockets. */
import type { Message, User } from '../contract';

/** What the page tells between messages. */
export interface Notice {
  notice: string;
  kind?: 'missed' | 'gap';
}

/** A message, as a page shows it. */
export interface Shown extends Message {
  /** Whether it was said while the page was offline. */
  isMissed?: boolean;
}

/** A conversation, in the list of them. */
export interface Entry {
  /** Differs from those of the others in the list. */
  key: string;
  title: string;
  /** Of a person. */
  isOnline: boolean | undefined;
  isCurrent: boolean;
  unread: number;
  open: () => Promise<void>;
}

/** A form with one field. */
interface Form<Value> {
  form: string;
  field: string;
  /** Where it is shown what else goes wrong. */
  errors: string;
  /** Returns what is to be sent. Throws FieldError if the person has to mend what they have typed. */
  check: (typed: string) => Value;
  send: (value: Value) => Promise<void>;
}

/** What a person has typed is not right. The message is in words for them, and shown beside the field. */
export class FieldError extends Error {}

const $ = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E; // index.html has it

export function showLogin(): void {
  $('chat').hidden = true;
  $('login').hidden = false;
  $('name').focus();
}

export function showChat(me: User): void {
  $('login').hidden = true;
  $('chat').hidden = false;
  $('me').replaceChildren(avatar(me.name), element('span', 'name', me.name));
}

export function showConnection(state: 'online' | 'offline', worker?: number): void {
  $('connection').className = state;
  const online = element('span', '', 'Online · ', element('span', 'wide', 'worker '), String(worker));
  const offline = isCut() ? 'Cut off' : 'Offline, trying again …';
  $('connection').replaceChildren(state === 'online' ? online : offline);
  if (state === 'online') $('waiting').hidden = true;
}

/** What is said now is sent later. */
export function showWaiting(): void {
  $('waiting').hidden = false;
}

const isCut = (): boolean => $('cut').ariaPressed === 'true';

/** Calls back when the person cuts the network, and when they mend it. */
export function onCut(callback: (isCut: boolean) => void): void {
  onClick('cut', () => {
    $('cut').ariaPressed = String(!isCut());
    callback(isCut());
  });
}

export function showRooms(rooms: Entry[]): void {
  showEntries($('rooms'), rooms, () => element('span', 'hash', '#'));
}

export function showPeople(people: Entry[]): void {
  $('people-count').textContent = String(people.filter(({ isOnline }) => isOnline).length);
  showEntries($('people'), people, person => avatar(person.title, person.isOnline));
}

/** The buttons of entries that stay are kept where they are: a click is lost if its button goes between the press and the release. */
function showEntries(list: HTMLElement, entries: Entry[], iconOf: (entry: Entry) => HTMLElement): void {
  const items = new Map([...list.children].map(item => [(item as HTMLElement).dataset['key'], item])); // made below
  const shown = entries.map(entry => {
    const item = items.get(entry.key) ?? entryItem(entry);
    fillEntry(item, entry, iconOf(entry));
    return item;
  });
  for (const item of items.values()) if (!shown.includes(item)) item.remove();
  for (const [index, item] of shown.entries()) if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
}

export function showMessages(title: string, messages: (Shown | Notice)[], myId: string): void {
  $('title').textContent = title;
  const items = messages.map((message, index) => {
    if ('notice' in message) return element('li', `notice ${message.kind ?? ''}`, element('span', '', message.notice));
    const previous = messages[index - 1];
    return messageItem(message, previous && 'id' in previous ? previous : undefined, myId);
  });
  if (items.length === 0) items.push(element('li', 'notice', 'Nothing here yet. Say hello! 打个招呼吧'));
  $('messages').replaceChildren(...items);
  scrollToEnd();
}

const scrollToEnd = (): void => $('messages').scrollTo(0, $('messages').scrollHeight);
new ResizeObserver(scrollToEnd).observe($('messages')); // a phone's keyboard, an announcement

let typist: User | undefined;
let typingTimer: ReturnType<typeof setTimeout> | undefined;

export function showTyping(user: User): void {
  typist = user;
  $('typing').textContent = `${user.name} is typing …`;
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, 3000, user);
}

export function stopTyping(user: User): void {
  if (typist?.id === user.id) $('typing').textContent = '';
}

export function showAnnouncement({ from, text }: { from: User; text: string }): void {
  $('announcement').firstElementChild?.replaceChildren(element('strong', '', from.name), ` ${text}`);
  $('announcement').hidden = false;
}

export function closeAnnouncementDialog(): void {
  $<HTMLDialogElement>('announcement-dialog').close();
}

/** Leaves nothing of the person before. */
export function clearForms(): void {
  $('waiting').hidden = true;
  $('cut').ariaPressed = 'false';
  closeAnnouncementDialog(); // as long as it is open, the rest of the page takes no input
  for (const form of document.forms) form.reset();
}

export function showError(id: string, error: unknown): void {
  $(id).textContent = error instanceof Error ? error.message : String(error);
}

/**
 * Beside the field. Who is still in the form is taken to the field, which a screen reader reads with its description: the error. To who is in
 * the field already, or has gone elsewhere, it reads the error alone.
 */
function showFieldError(field: HTMLInputElement, message: string): void {
  const { activeElement } = document; // the body if there is none, as after a click on a button in Safari
  const isLed = activeElement !== field && (activeElement === document.body || field.form?.contains(activeElement));
  const error = $(`${field.id}-error`);
  error.ariaLive = isLed ? 'off' : 'assertive';
  error.textContent = message;
  field.setAttribute('aria-invalid', 'true');
  if (isLed) field.focus();
}

function clearFieldError(field: HTMLInputElement): void {
  $(`${field.id}-error`).textContent = '';
  field.removeAttribute('aria-invalid');
}

/** Shows what is thrown. */
async function attempt(errors: string, action: () => Promise<void> | void, field?: HTMLInputElement): Promise<void> {
  const hasShown = $(errors).textContent !== '' || field?.hasAttribute('aria-invalid');
  $(errors).textContent = '';
  if (field) clearFieldError(field);
  if (hasShown) await rendered(); // a screen reader reads the same error again only if it has been gone
  try {
    await action();
  } catch (error) {
    if (field && error instanceof FieldError) showFieldError(field, error.message);
    else showError(errors, error);
  }
}

const rendered = async (): Promise<void> => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));

/**
 * Checks and sends what a person has typed, once: the form is busy until this is answered. What has been sent is cleared, but not what has
 * been typed meanwhile. An error goes as soon as it is mended.
 */
export function onSubmit<Value>({ form: formId, field: fieldId, errors, check, send }: Form<Value>): void {
  const form = $<HTMLFormElement>(formId);
  const field = $<HTMLInputElement>(fieldId);
  form.addEventListener('submit', event => {
    event.preventDefault();
    if (form.ariaBusy === 'true') return;
    form.ariaBusy = 'true';
    const typed = field.value;
    const submit = async (): Promise<void> => {
      await send(check(typed));
      if (field.value === typed) field.value = '';
    };
    void attempt(errors, submit, field).finally(() => (form.ariaBusy = null));
  });
  form.addEventListener('reset', () => {
    $(errors).textContent = '';
    clearFieldError(field);
  });
  field.addEventListener('input', () => {
    $(errors).textContent = '';
    if (!field.hasAttribute('aria-invalid')) return;
    try {
      if (field.value !== '') check(field.value); // in an empty field, nothing is wrong yet
      clearFieldError(field);
    } catch {} // not mended yet
  });
}

/** Calls back, and shows what is thrown above the composer. */
export function onClick(id: string, callback: () => Promise<void> | void): void {
  $(id).addEventListener('click', () => void attempt('error', callback));
}

export function onInput(id: string, callback: () => void): void {
  $(id).addEventListener('input', callback);
}

const toggleMenu = (force?: boolean): void => void $('chat').classList.toggle('menu-open', force);
onClick('menu', () => toggleMenu());
onClick('scrim', () => toggleMenu(false));
onClick('announce', () => {
  $<HTMLFormElement>('announcement-form').reset(); // may have been left by Cancel or Escape
  $<HTMLDialogElement>('announcement-dialog').showModal();
});
onClick('announcement-cancel', closeAnnouncementDialog);
$('announcement')
  .querySelector('button')
  ?.addEventListener('click', () => ($('announcement').hidden = true));

function entryItem({ key, open }: Entry): HTMLElement {
  const button = element('button', '');
  const openAndWrite = async (): Promise<void> => {
    toggleMenu(false);
    await attempt('error', open);
    $('text').focus();
  };
  button.addEventListener('click', () => void openAndWrite());
  const item = element('li', '', button);
  item.dataset['key'] = key;
  return item;
}

function fillEntry(item: Element, { title, isCurrent, unread }: Entry, icon: HTMLElement): void {
  const [button] = item.children;
  if (!button) return;
  button.className = isCurrent ? 'current' : '';
  button.replaceChildren(icon, element('span', 'name', title), ...(unread ? [element('span', 'unread', String(unread))] : []));
}

function messageItem({ from, text, at, isMissed }: Shown, previous: Message | undefined, myId: string): HTMLElement {
  const isMine = from.id === myId;
  const goesOn = previous !== undefined && previous.from.id === from.id && at - previous.at < 300_000;
  const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
  const item = element('li', `${isMine ? 'mine' : 'theirs'} ${goesOn ? 'goes-on' : ''} ${isMissed ? 'is-missed' : ''}`);
  if (!isMine) item.append(avatar(from.name));
  const body = element('div', 'body');
  if (!goesOn) body.append(element('p', 'by', isMine ? '' : element('span', '', from.name), element('time', '', time)));
  body.append(element('p', 'bubble', text));
  item.append(body);
  return item;
}

/** The first character of a name, in a colour of its own. */
function avatar(name: string, isOnline?: boolean): HTMLElement {
  const characters = [...name];
  const letter = element(
    'span',
    `avatar ${isOnline === undefined ? '' : isOnline ? 'is-online' : 'is-offline'}`,
    (characters[0] ?? '').toUpperCase(),
  );
  const hue = characters.reduce((sum, character) => sum + (character.codePointAt(0) ?? 0) * 47, 0) % 360;
  letter.style.setProperty('--hue', String(hue));
  letter.setAttribute('aria-hidden', 'true');
  return letter;
}

function element(tag: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}
