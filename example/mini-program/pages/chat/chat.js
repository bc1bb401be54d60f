/** The one page: a name, and then the lobby. */
const { createSend, history } = require('egg-socket.io-mini-program/client');
const { answer, connect, FieldError, logIn } = require('../../client');

/**
 * @import { Send } from 'egg-socket.io-mini-program/client'
 * @import { FromClient, Message, Present, User } from '../../../chat/contract'
 * @typedef {ReturnType<typeof connect>} Socket
 * @typedef {Message | { id: string, isGap: true }} Shown
 */

const LOBBY = { room: 'lobby' };

Page({
  data: {
    /** The user, once logged in. */
    me: /** @type {User | null} */ (null),
    isOnline: false,
    /** Whether the person has cut the network. */
    isCut: false,
    /** Whether an answer to what a person has sent is still missing: a second tap sends nothing. */
    isSending: false,
    messages: /** @type {Shown[]} */ ([]),
    online: /** @type {Present[]} */ ([]),
    name: '',
    text: '',
    /** What is wrong with these two fields, in words for the person. */
    nameError: '',
    textError: '',
    /** The field that has to be mended. */
    focus: '',
    /** What else has gone wrong. */
    error: '',
  },

  /** Once logged in. */
  socket: /** @type {Socket | undefined} */ (undefined),

  /** Sends until it is answered, over all that happens to the connection. The server handles it once. */
  send: /** @type {Send<FromClient> | undefined} */ (undefined),

  /** Whether what was said before is shown. */
  hasJoined: false,

  onUnload() {
    if (this.socket) this.socket.disconnect();
  },

  // ---- what the user does

  /** @param {WechatMiniprogram.Input} event */
  onName(event) {
    this.setData({ name: event.detail.value, nameError: '' });
  },

  /** @param {WechatMiniprogram.Input} event */
  onText(event) {
    this.setData({ text: event.detail.value, textError: '' });
  },

  async logIn() {
    await this.submit(async () => {
      this.setData({ me: await logIn(this.data.name) });
      this.talk();
    }, 'name');
  },

  async say() {
    await this.submit(async () => {
      const { text } = this.data;
      if (this.send) await answer(this.send('say', LOBBY, text), 1);
      if (this.data.text === text) this.setData({ text: '' }); // else the next message is being typed
    }, 'text');
  },

  /** As a tunnel does to a train: the socket has not left, so the server keeps for it what it misses. */
  cut() {
    const { socket } = this;
    if (!socket) return;
    const isCut = !this.data.isCut;
    this.setData({ isCut, isOnline: false });
    socket.io.reconnection(!isCut);
    if (!isCut) socket.connect();
    else if (socket.connected) socket.io.engine.close();
    else socket.disconnect(); // it is trying to come back
  },

  /**
   * @param {() => Promise<void>} action
   * @param {'name' | 'text'} field
   */
  async submit(action, field) {
    if (this.data.isSending) return;
    this.setData({ isSending: true });
    await this.attempt(action, field);
    this.setData({ isSending: false });
  },

  /**
   * What goes wrong is shown. What a person has to mend is shown beside the field, which gets the focus.
   *
   * @param {() => Promise<void>} action
   * @param {'name' | 'text'} [field]
   */
  async attempt(action, field) {
    this.setData({ error: '', nameError: '', textError: '', focus: '' });
    try {
      await action();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (field && error instanceof FieldError) this.setData({ [`${field}Error`]: message, focus: field });
      else this.setData({ error: message });
    }
  },

  // ---- what the server says

  talk() {
    const socket = connect();
    this.socket = socket;
    this.hasJoined = false;
    this.setData({ messages: [] });
    // what the page misses comes when it is back
    history(socket, { onGap: () => this.show({ id: `gap ${Date.now()}`, isGap: true }) });
    // for the first time, or again after the background. Before `createSend()`, so that the page is in its rooms when that says what waited
    socket.on('connect', () => this.attempt(() => this.enter()));
    this.send = createSend(socket);
    socket.on('disconnect', reason => {
      if (reason === 'io server disconnect') this.logOut();
      else this.setData({ isOnline: false });
    });
    socket.on('connect_error', ({ message }) => {
      // the server has said no; or it cannot be reached, and the socket goes on trying
      if (!socket.active) this.logOut();
      this.setData({ error: message });
    });
    socket.on('message', message => {
      if ('room' in message.to && message.to.room === LOBBY.room) this.show(message);
    });
    socket.on('presence', ({ joined, changed, left }) => {
      const others = this.data.online.filter(({ id }) => ![...joined, ...changed, ...left].some(one => one.id === id));
      this.setData({ online: [...others, ...joined, ...changed] });
    });
  },

  /** The socket, to ask with. What is sent without a connection would wait for one. */
  connected() {
    if (!this.socket || !this.socket.connected) throw new Error('You are offline: this was not sent');
    return this.socket;
  },

  async enter() {
    const { online } = await answer(this.connected().emitWithAck('enter'));
    this.setData({ online });
    const kept = await answer(this.connected().emitWithAck('join', LOBBY));
    const { messages } = this.data; // some may have come meanwhile
    if (!this.hasJoined) this.setData({ messages: [...kept, ...messages.filter(({ id }) => !kept.some(one => one.id === id))] });
    this.hasJoined = true; // later, what was said comes by the room's history
    this.setData({ isOnline: true });
  },

  /** @param {Shown} message which the answer to `join` may have had */
  show(message) {
    if (!this.data.messages.some(({ id }) => id === message.id)) this.setData({ messages: [...this.data.messages, message] });
  },

  logOut() {
    this.setData({ me: null, isOnline: false, isCut: false, isSending: false });
  },
});
