/** The one page: a name, and then the lobby. */
const { answer, connect, FieldError, logIn } = require('../../client');

/**
 * @import { Message, Present, User } from '../../../chat/contract'
 * @typedef {ReturnType<typeof connect>} Socket
 * @typedef {Message | { id: string, isGap: true }} Shown
 */

const LOBBY = { room: 'lobby' };

Page({
  data: {
    /** The user, once logged in. */
    me: /** @type {User | null} */ (null),
    isOnline: false,
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
      if (!this.data.isOnline) return; // the answer to `join` has it
      if ('room' in message.to && message.to.room === LOBBY.room) this.setData({ messages: [...this.data.messages, message] });
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
    const kept = await answer(this.connected().emitWithAck('join', LOBBY)); // with what was missed, if that is still kept
    this.setData({ isOnline: true, messages: continued(this.data.messages, kept) });
  },

  logOut() {
    this.setData({ me: null, isOnline: false });
  },
});

/**
 * What is shown goes on with what the server keeps. If that has nothing in common with it, messages may be missing between.
 *
 * @param {Shown[]} shown
 * @param {Message[]} kept
 * @returns {Shown[]}
 */
function continued(shown, kept) {
  const missed = kept.filter(({ id }) => !shown.some(one => one.id === id));
  const isGap = shown.length > 0 && missed.length === kept.length;
  return [...shown, ...(isGap ? [{ id: `gap ${Date.now()}`, isGap }] : []), ...missed];
}
