/** The one page: a name, and then the lobby. */
const { answer, connect, FieldError, logIn } = require('../../client');

/**
 * @import { Message, User } from '../../../chat/contract'
 * @typedef {ReturnType<typeof connect>} Socket
 */

const LOBBY = { room: 'lobby' };

Page({
  data: {
    /** The user, once logged in. */
    me: /** @type {User | null} */ (null),
    isOnline: false,
    messages: /** @type {Message[]} */ ([]),
    online: /** @type {User[]} */ ([]),
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

  /** Whether an answer to what a person has sent is still missing: a second tap sends nothing. */
  isSending: false,

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
    await this.send(async () => {
      this.setData({ me: await logIn(this.data.name) });
      this.talk();
    }, 'name');
  },

  async say() {
    await this.send(async () => {
      const { text } = this.data;
      await answer(this.connected().emitWithAck('say', LOBBY, text), 1);
      if (this.data.text === text) this.setData({ text: '' }); // else the next message is being typed
    }, 'text');
  },

  /**
   * @param {() => Promise<void>} action
   * @param {'name' | 'text'} field
   */
  async send(action, field) {
    if (this.isSending) return;
    this.isSending = true;
    await this.attempt(action, field);
    this.isSending = false;
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
    // for the first time, or again after the background
    socket.on('connect', () => this.attempt(() => this.enter()));
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
      if ('room' in message.to && message.to.room === LOBBY.room) this.setData({ messages: [...this.data.messages, message] });
    });
    socket.on('news', ({ online }) => this.setData({ online })); // of who comes and goes; the first one comes before the answer to `enter`
  },

  /** The socket, to ask with. What is sent without a connection would wait for one. */
  connected() {
    if (!this.socket || !this.socket.connected) throw new Error('You are offline: this was not sent');
    return this.socket;
  },

  async enter() {
    await answer(this.connected().emitWithAck('enter'));
    const messages = await answer(this.connected().emitWithAck('join', LOBBY)); // with what was missed
    this.setData({ isOnline: true, messages });
  },

  logOut() {
    this.setData({ me: null, isOnline: false });
  },
});
