/** What the page looks like. It knows nothing of sockets. */

const $ = id => document.getElementById(id);

export function showLogin() {
  $('chat').hidden = true;
  $('login').hidden = false;
  $('name').focus();
}

export function showChat(me) {
  $('login').hidden = true;
  $('chat').hidden = false;
  $('me').replaceChildren(avatar(me), element('span', 'name', me.name));
}

export function showConnection(state, worker) {
  $('connection').className = state;
  const online = element('span', '', 'Online · ', element('span', 'wide', 'worker '), worker);
  $('connection').replaceChildren(state === 'online' ? online : 'Offline, trying again …');
}

export function showRooms(rooms) {
  $('rooms').replaceChildren(...rooms.map(room => entry(room, element('span', 'hash', '#'))));
}

export function showPeople(people) {
  $('people-count').textContent = people.filter(({ isOnline }) => isOnline).length;
  $('people').replaceChildren(...people.map(person => entry(person, avatar({ name: person.title }, person.isOnline))));
}

export function showMessages(title, messages, me) {
  $('title').textContent = title;
  const items = messages.map((message, index) => {
    if (message.notice) return element('li', 'notice', message.notice);
    return messageItem(message, messages[index - 1], me);
  });
  if (items.length === 0) items.push(element('li', 'notice', 'Nothing here yet. Say hello! 打个招呼吧'));
  $('messages').replaceChildren(...items);
  scrollToEnd();
}

const scrollToEnd = () => $('messages').scrollTo(0, $('messages').scrollHeight);
new ResizeObserver(scrollToEnd).observe($('messages')); // a phone's keyboard, an announcement

let typist;
let typingTimer;

export function showTyping(user) {
  typist = user;
  $('typing').textContent = `${user.name} is typing …`;
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, 3000, user);
}

export function stopTyping(user) {
  if (typist?.id === user.id) $('typing').textContent = '';
}

export function showAnnouncement({ from, text }) {
  $('announcement').firstElementChild.replaceChildren(element('strong', '', from.name), ` ${text}`);
  $('announcement').hidden = false;
}

export function closeAnnouncementDialog() {
  $('announcement-dialog').close();
}

export function showError(id, message) {
  $(id).textContent = message;
}

async function attempt(errorId, action) {
  showError(errorId, '');
  try {
    await action();
  } catch (error) {
    showError(errorId, error.message);
  }
}

/** Calls back with the form's fields, and shows what is thrown. */
export function onSubmit(formId, errorId, callback) {
  $(formId).addEventListener('submit', async event => {
    event.preventDefault();
    await attempt(errorId, () => callback($(formId).elements));
  });
  $(formId).addEventListener('input', () => showError(errorId, ''));
}

/** Calls back, and shows what is thrown above the composer. */
export function onClick(id, callback) {
  $(id).addEventListener('click', () => attempt('error', callback));
}

export function onInput(id, callback) {
  $(id).addEventListener('input', callback);
}

const toggleMenu = force => $('chat').classList.toggle('menu-open', force);
onClick('menu', () => toggleMenu());
onClick('scrim', () => toggleMenu(false));
onClick('announce', () => $('announcement-dialog').showModal());
onClick('announcement-cancel', closeAnnouncementDialog);
$('announcement')
  .querySelector('button')
  .addEventListener('click', () => ($('announcement').hidden = true));

function entry({ title, isCurrent, unread, open }, icon) {
  const button = element('button', isCurrent ? 'current' : '', icon, element('span', 'name', title));
  if (unread) button.append(element('span', 'unread', unread));
  button.addEventListener('click', async () => {
    toggleMenu(false);
    await attempt('error', open);
    $('text').focus();
  });
  return element('li', '', button);
}

function messageItem({ from, text, at }, previous, me) {
  const isMine = from.id === me.id;
  const goesOn = previous?.from?.id === from.id && at - previous.at < 300_000;
  const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
  const item = element('li', `${isMine ? 'mine' : 'theirs'} ${goesOn ? 'goes-on' : ''}`);
  if (!isMine) item.append(avatar(from));
  const body = element('div', 'body');
  if (!goesOn) body.append(element('p', 'by', isMine ? '' : element('span', '', from.name), element('time', '', time)));
  body.append(element('p', 'bubble', text));
  item.append(body);
  return item;
}

/** The first character of a name, in a colour of its own. */
function avatar({ name }, isOnline) {
  const letter = element(
    'span',
    `avatar ${isOnline === undefined ? '' : isOnline ? 'is-online' : 'is-offline'}`,
    [...name][0].toUpperCase(),
  );
  const hue = [...name].reduce((sum, character) => sum + character.codePointAt(0) * 47, 0) % 360;
  letter.style.setProperty('--hue', hue);
  letter.setAttribute('aria-hidden', 'true');
  return letter;
}

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}
