/** The page: logs in by HTTP, then talks Socket.IO. What it looks like is in view.js. */
import { io } from '/socket.io/socket.io.esm.min.js';
import * as view from './view.js';

const LOBBY = { room: 'lobby' };

/** It brings the session's cookie along, and comes back by itself when the connection is lost. */
const socket = io('/chat', { autoConnect: false });

let me = await http('GET', '/session').then(
  ({ user }) => user,
  error => view.showError('login-error', error.message),
);
let rooms = [];
let online = [];
/** What this page has open, by key: { to, messages, unread } */
const conversations = new Map();
let current = conversationOf(LOBBY);
/** The names of all who have been seen: they are needed when somebody has gone. */
const names = new Map();

if (me) socket.connect();
else view.showLogin();

// ---- what the server says -------------------------------------------------------------------------------------------

/** For the first time, or again after the connection was lost. */
socket.on('connect', () => enter().catch(error => view.showError('error', error.message)));

async function enter() {
  const welcome = await ask('enter'); // by now the news is here, too
  ({ me } = welcome);
  for (const { to } of conversations.values()) await refresh(to).catch(keepWhatIsShown); // with what was missed while offline
  view.showChat(me);
  view.showConnection('online', welcome.worker);
  show();
}

/** A conversation may be gone on the server, which is no reason to lose the others. */
function keepWhatIsShown(error) {
  if (!socket.connected) throw error;
  view.showError('error', error.message);
}

socket.on('disconnect', reason => {
  // the session has ended, in this page or in another
  if (reason === 'io server disconnect') logOut();
  else view.showConnection('offline');
});

/** The server cannot be reached, and the socket goes on trying; or it has said no, which may be for the moment. */
socket.on('connect_error', error => {
  if (socket.active) {
    view.showConnection('offline');
  } else if (error.data?.code === 'UNAVAILABLE') {
    view.showChat(me);
    view.showConnection('offline');
    show();
    setTimeout(() => me && socket.connect(), 1000); // unless they have logged out meanwhile
  } else {
    logOut();
    view.showError('login-error', error.message);
  }
});

socket.on('message', message => {
  const conversation = conversationOf(targetHere(message));
  // what another worker's people say may be in what `join` has brought, and come once more
  if (conversation.messages.some(({ id }) => id === message.id)) return;
  conversation.messages.push(message);
  if (conversation !== current) conversation.unread++;
  view.stopTyping(message.from);
  show();
});

socket.on('typing', (user, to) => {
  if (keyOf(targetHere({ from: user, to })) === keyOf(current.to)) view.showTyping(user);
});

socket.on('news', news => {
  ({ rooms, online } = news);
  for (const { id, name } of online) names.set(id, name);
  for (const { name } of news.gone) current.messages.push({ notice: `${name} has gone offline · 离线` });
  show();
});

socket.on('announcement', view.showAnnouncement);

/** An error of an event that asked for no acknowledgement. */
socket.on('error', message => view.showError('error', message));

// ---- what the user does ---------------------------------------------------------------------------------------------

view.onSubmit('login-form', 'login-error', async ({ name }) => {
  ({ user: me } = await http('POST', '/session', { name: name.value }));
  socket.connect();
});

view.onSubmit('composer', 'error', async ({ text }) => {
  await ask('say', current.to, text.value);
  text.value = '';
});

view.onSubmit('room-form', 'error', async ({ room }) => {
  await open({ room: room.value.trim() });
  room.value = '';
});

view.onSubmit('announcement-form', 'announcement-error', async form => {
  await http('POST', '/announcements', { text: form['announcement-text'].value });
  form['announcement-text'].value = '';
  view.closeAnnouncementDialog();
});

view.onClick('logout', async () => {
  await http('DELETE', '/session');
  logOut();
});

let lastTyping = 0;
view.onInput('text', () => {
  if (!socket.connected || Date.now() - lastTyping < 2000) return;
  lastTyping = Date.now();
  socket.emit('typing', current.to);
});

async function open(to) {
  await refresh(to);
  current = conversationOf(to);
  current.unread = 0;
  lastTyping = 0;
  show();
}

// ---- the two ways to the server -------------------------------------------------------------------------------------

/** Emits an event and waits for its acknowledgement. Rejects with the error that the server acknowledged. */
async function ask(event, ...args) {
  if (!socket.connected) throw new Error('You are offline: this was not sent');
  const answer = await socket.timeout(10_000).emitWithAck(event, ...args);
  if (answer.error) throw new Error(answer.error.message);
  return answer;
}

/** Egg wants the token of this cookie with every request that changes something. */
async function http(method, path, body) {
  const [, csrfToken = ''] = document.cookie.match(/csrfToken=([^;]*)/) ?? [];
  const headers = { accept: 'application/json', 'content-type': 'application/json', 'x-csrf-token': csrfToken };
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const isJson = response.headers.get('content-type')?.startsWith('application/json'); // not if it comes from a proxy in between
  const answer = isJson ? await response.json() : {};
  if (!response.ok) throw new Error(answer.message ?? `The server has answered with an error: ${response.status}`);
  return answer;
}

// ---- the conversations ----------------------------------------------------------------------------------------------

/** Joins, and gets what has been said before. */
async function refresh(to) {
  const messages = await ask('join', to);
  conversationOf(to).messages = messages;
}

function conversationOf(to) {
  const key = keyOf(to);
  if (!conversations.has(key)) conversations.set(key, { to, messages: [], unread: 0 });
  return conversations.get(key);
}

function keyOf(to) {
  return 'room' in to ? `room ${to.room}` : `user ${to.user}`;
}

/** A private message belongs to the conversation with the other one, whoever wrote it. */
function targetHere({ from, to }) {
  return 'user' in to && from.id !== me.id ? { user: from.id } : to;
}

function logOut() {
  socket.disconnect();
  me = null;
  conversations.clear();
  current = conversationOf(LOBBY);
  view.showLogin();
}

function show() {
  const entry = (to, title, isOnline) => {
    const conversation = conversations.get(keyOf(to));
    return { title, isOnline, isCurrent: conversation === current, unread: conversation?.unread ?? 0, open: () => open(to) };
  };
  view.showRooms(rooms.map(room => entry({ room }, room)));
  const absent = [...conversations.values()].map(({ to }) => to.user).filter(id => id && !online.some(user => user.id === id));
  view.showPeople([
    ...online.filter(user => user.id !== me.id).map(({ id, name }) => entry({ user: id }, name, true)),
    ...absent.map(id => entry({ user: id }, names.get(id), false)),
  ]);
  view.showMessages('room' in current.to ? `# ${current.to.room}` : names.get(current.to.user), current.messages, me);
}
