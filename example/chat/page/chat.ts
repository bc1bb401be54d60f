/** The page: logs in by HTTP, then talks Socket.IO. What it looks like is in view.ts. */
import { createSend, history, SendError } from 'egg-socket.io/client';
import { type ClientSocket, type Issue, type Reply, ReplyError, unwrap } from 'egg-socket.io/contract';
import { io } from 'socket.io-client';
import * as v from 'valibot';
import { announcementText, chat, type Message, type Present, type Target, type User, userName } from '../contract';
import * as view from './view';

interface Conversation {
  to: Target;
  messages: (view.Shown | view.Notice)[];
  unread: number;
  /** Whether what has been said before is in it. */
  isOpen: boolean;
}

const LOBBY: Target = { room: 'lobby' };

/** It brings the session's cookie along, and comes back by itself when the connection is lost. */
const socket: ClientSocket<typeof chat> = io('/chat', { autoConnect: false, ackTimeout: 10_000 });

/** The rooms' messages that the page misses come when it is back. */
history(socket, {
  onGap(name) {
    conversationOf({ room: name.slice('room:'.length) }).messages.push({
      notice: 'Some messages are missing here · 这里缺了几条消息',
      kind: 'gap',
    });
    show();
  },
});

/** For the first time, or again after the connection was lost. Before `createSend()`, so that it is in its rooms again when that says what waited. */
socket.on('connect', comeIn);

/** Sends until it is answered, over all that happens to the connection. The server handles it once. */
const send = createSend(socket);

let me: User | null = null;
let rooms: string[] = [];
const online = new Set<string>();
/** The server's time when this page came back after it had been offline: what was said before, it has missed. */
let backSince = 0;
/** Whether a message waits for the server's answer. */
let isSaying = false;
/** What this page has open, by key. */
const conversations = new Map<string, Conversation>();
let current = conversationOf(LOBBY);
/** The names of all who have been seen: they are needed when somebody has gone. */
const names = new Map<string, string>();

try {
  me = (await http<{ user: User | null }>('GET', '/session')).user;
} catch (error) {
  view.showError('login-error', error);
}
if (me) socket.connect();
else view.showLogin();

// ---- what the server says -------------------------------------------------------------------------------------------

/** Tries again for as long as the server is too busy to answer. */
async function comeIn(): Promise<void> {
  const { id } = socket;
  try {
    await enter();
  } catch (error) {
    view.showError('error', error);
    setTimeout(() => {
      if (socket.connected && socket.id === id) void comeIn();
    }, 2000);
  }
}

async function enter(): Promise<void> {
  // all at once: the server handles them in this order
  const entered = answer(connected().emitWithAck('enter'));
  const joined = [...conversations.values()].map(async ({ to }) => refresh(to).catch(keepWhatIsShown));
  const welcome = await entered;
  ({ me, rooms } = welcome);
  online.clear();
  welcome.online.forEach(add);
  await Promise.all(joined);
  if (backSince > 0) backSince = welcome.at;
  view.showChat(me);
  view.showConnection('online', welcome.worker);
  show();
}

/** A conversation may be gone on the server, which is no reason to lose the others. */
function keepWhatIsShown(error: unknown): void {
  if (!socket.connected) throw error;
  view.showError('error', error);
}

socket.on('disconnect', reason => {
  // the session has ended, in this page or in another
  if (reason === 'io server disconnect') return logOut();
  backSince = Infinity; // not yet
  view.showConnection('offline');
});

/** The server cannot be reached, and the socket goes on trying; or it has said no, which may be for the moment. */
socket.on('connect_error', (error: Error & { data?: { code?: string } }) => {
  if (socket.active) {
    view.showConnection('offline');
  } else if (me && error.data?.code === 'UNAVAILABLE') {
    view.showChat(me);
    view.showConnection('offline');
    show();
    setTimeout(() => me && socket.connect(), 1000); // unless they have logged out meanwhile
  } else {
    logOut();
    view.showError('login-error', error);
  }
});

socket.on('message', message => {
  take(message);
  view.stopTyping(message.from);
  show();
});

/** It may have come before: with what `join` has brought, or in another page's conversation with oneself. */
function take(message: Message): void {
  const conversation = conversationOf(targetHere(message));
  const { messages } = conversation;
  if (messages.some(known => 'id' in known && known.id === message.id)) return;
  const isMissed = message.at < backSince && message.from.id !== me?.id;
  const last = messages.at(-1);
  if (isMissed && !(last && 'id' in last && last.isMissed)) messages.push({ notice: 'While you were offline · 离线期间', kind: 'missed' });
  messages.push({ ...message, isMissed });
  if (conversation !== current) conversation.unread++;
}

socket.on('typing', (user, to) => {
  if (keyOf(targetHere({ from: user, to })) === keyOf(current.to)) view.showTyping(user);
});

socket.on('rooms', all => {
  rooms = all;
  show();
});

/** Who has come, and who has gone and not come back in time. */
socket.on('presence', ({ joined, changed, left }) => {
  [...joined, ...changed].forEach(add);
  for (const { id } of left) {
    if (online.delete(id) && id !== me?.id) current.messages.push({ notice: `${nameOf(id)} has gone offline · 离线` });
  }
  show();
});

/** Who has just connected has no name yet. */
function add({ id, meta }: Present): void {
  if (!meta) return;
  online.add(id);
  names.set(id, meta.name);
}

socket.on('announcement', view.showAnnouncement);

/** An error of an event that asked for no acknowledgement. */
socket.on('error', message => view.showError('error', new Error(message)));

// ---- what the user does ---------------------------------------------------------------------------------------------

view.onSubmit({
  form: 'login-form',
  field: 'name',
  errors: 'login-error',
  check: typed => check(userName, typed),
  async send(name) {
    ({ user: me } = await http<{ user: User }>('POST', '/session', { name }));
    socket.connect();
  },
});

view.onSubmit({
  form: 'composer',
  field: 'text',
  errors: 'error',
  check: typed => check(chat.client.say.args[1], typed),
  async send(text) {
    if (!socket.connected) view.showWaiting();
    isSaying = true;
    await answer(send('say', current.to, text), 1).finally(() => (isSaying = false));
  },
});

view.onSubmit({
  form: 'room-form',
  field: 'room',
  errors: 'error',
  check: typed => check(chat.client.join.args[0], { room: typed }),
  send: async to => open(to, 0),
});

view.onSubmit({
  form: 'announcement-form',
  field: 'announcement-text',
  errors: 'announcement-error',
  check: typed => check(announcementText, typed),
  async send(text) {
    await http('POST', '/announcements', { text });
    view.closeAnnouncementDialog();
  },
});

view.onClick('logout', async () => {
  await http('DELETE', '/session');
  logOut();
});

/** As a tunnel does to a train: the socket has not left, so the server keeps for it what it misses. */
view.onCut(isCut => {
  socket.io.reconnection(!isCut);
  if (!isCut) socket.connect();
  else if (socket.connected) socket.io.engine.close();
  else socket.disconnect(); // it is trying to come back
  view.showConnection('offline');
});

let lastTyping = 0;
view.onInput('text', () => {
  if (!socket.connected || Date.now() - lastTyping < 2000) return;
  lastTyping = Date.now();
  socket.emit('typing', current.to);
});

/** @param typed which argument of `join` a person has typed, if any */
async function open(to: Target, typed?: number): Promise<void> {
  await refresh(to, typed);
  current = conversationOf(to);
  current.unread = 0;
  lastTyping = 0;
  show();
}

// ---- checks ---------------------------------------------------------------------------------------------------------

/** What the schema makes of what a person has typed. The server checks it by the same schema. @throws FieldError */
function check<Schema extends v.GenericSchema>(schema: Schema, typed: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, typed);
  if (result.success) return result.output;
  throw new view.FieldError(result.issues[0].message);
}

/** Why the server has refused an argument of an event, if that is the error. */
function refusalOf(argument: number | undefined, error: unknown): string | undefined {
  return issuesOf(error).find(({ path }) => path[0] === argument)?.message;
}

function issuesOf(error: unknown): readonly Issue[] {
  if (error instanceof ReplyError) return error.issues;
  const isInvalid = error instanceof SendError && error.code === 'INVALID_ARGUMENT' && Array.isArray(error.details);
  return isInvalid ? (error.details as Issue[]) : []; // such an error has them
}

// ---- the two ways to the server -------------------------------------------------------------------------------------

/** The socket, to ask with. What is sent without a connection would wait for one. */
function connected() {
  if (!socket.connected) throw new Error('You are offline: this was not sent');
  return socket;
}

/**
 * What the server has answered. Rejects with the error that it has acknowledged instead.
 *
 * @param typed which argument a person has typed, if any: if the server refuses this one, it is shown beside the field
 */
async function answer<T>(reply: Promise<T | Reply<T>>, typed?: number): Promise<T> {
  try {
    return unwrap(await reply);
  } catch (error) {
    const message = refusalOf(typed, error);
    throw message === undefined ? error : new view.FieldError(message);
  }
}

/** Egg wants the token of this cookie with every request that changes something. */
async function http<T>(method: string, path: string, body?: object): Promise<T> {
  const [, csrfToken = ''] = /csrfToken=([^;]*)/.exec(document.cookie) ?? [];
  const headers = { accept: 'application/json', 'content-type': 'application/json', 'x-csrf-token': csrfToken };
  const response = await fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const isJson = response.headers.get('content-type')?.startsWith('application/json'); // not if it comes from a proxy in between
  const content: unknown = isJson ? await response.json() : {};
  if (response.ok) return content as T; // as the controller returns it
  const { code = '', message = `The server has answered with an error: ${response.status}` } = content as {
    code?: string;
    message?: string;
  };
  throw ['INVALID_ARGUMENT', 'NAME_TAKEN'].includes(code) ? new view.FieldError(message) : new Error(message);
}

// ---- the conversations ----------------------------------------------------------------------------------------------

/** Joins, and gets what has been said before. */
async function refresh(to: Target, typed?: number): Promise<void> {
  const messages = await answer(connected().emitWithAck('join', to), typed);
  const conversation = conversationOf(to);
  if (!conversation.isOpen) {
    const ids = new Set(messages.map(({ id }) => id));
    const newer = conversation.messages.filter(one => !('id' in one && ids.has(one.id))); // said while the answer was on its way
    Object.assign(conversation, { messages: [...messages, ...newer], isOpen: true });
  } else if ('user' in to) messages.forEach(take); // what is said in rooms comes by their history
}

function conversationOf(to: Target): Conversation {
  const key = keyOf(to);
  const known = conversations.get(key);
  if (known) return known;
  const conversation = { to, messages: [], unread: 0, isOpen: false };
  conversations.set(key, conversation);
  return conversation;
}

function keyOf(to: Target): string {
  return 'room' in to ? `room ${to.room}` : `user ${to.user}`;
}

/** A private message belongs to the conversation with the other one, whoever wrote it. */
function targetHere({ from, to }: Pick<Message, 'from' | 'to'>): Target {
  return 'user' in to && from.id !== me?.id ? { user: from.id } : to;
}

function logOut(): void {
  socket.disconnect();
  if (isSaying) return location.reload(); // else what waits would be sent in the name of the next person
  socket.io.reconnection(true);
  me = null;
  backSince = 0;
  conversations.clear();
  current = conversationOf(LOBBY);
  view.clearForms();
  view.showLogin();
}

function show(): void {
  if (!me) return;
  const { id: myId } = me;
  const entry = (to: Target, title: string, isOnline?: boolean): view.Entry => {
    const key = keyOf(to);
    const conversation = conversations.get(key);
    return { key, title, isOnline, isCurrent: conversation === current, unread: conversation?.unread ?? 0, open: async () => open(to) };
  };
  view.showRooms(rooms.map(room => entry({ room }, room)));
  const people = new Set(online);
  for (const { to } of conversations.values()) if ('user' in to) people.add(to.user);
  people.delete(myId);
  view.showPeople([...people].map(id => entry({ user: id }, nameOf(id), online.has(id))));
  view.showMessages('room' in current.to ? `# ${current.to.room}` : nameOf(current.to.user), current.messages, myId);
}

function nameOf(userId: string): string {
  return names.get(userId) ?? '…';
}
