/** The one page: a name, and then the lobby. */
const { ask, connect, logIn } = require('../../client');

const LOBBY = { room: 'lobby' };

Page({
  data: {
    /** The user, once logged in. */
    me: null,
    isOnline: false,
    messages: [],
    online: [],
    name: '',
    text: '',
    error: '',
  },

  onUnload() {
    if (this.socket) this.socket.disconnect();
  },

  // ---- what the user does

  onName(event) {
    this.setData({ name: event.detail.value });
  },

  onText(event) {
    this.setData({ text: event.detail.value });
  },

  async logIn() {
    await this.attempt(async () => {
      this.setData({ me: await logIn(this.data.name) });
      this.talk();
    });
  },

  async say() {
    await this.attempt(async () => {
      await ask(this.socket, 'say', LOBBY, this.data.text);
      this.setData({ text: '' });
    });
  },

  /** What goes wrong is shown. */
  async attempt(action) {
    this.setData({ error: '' });
    try {
      await action();
    } catch (error) {
      this.setData({ error: error.message });
    }
  },

  // ---- what the server says

  talk() {
    this.socket = connect();
    // for the first time, or again after the background
    this.socket.on('connect', () => this.attempt(() => this.enter()));
    this.socket.on('disconnect', reason => {
      if (reason === 'io server disconnect') this.logOut();
      else this.setData({ isOnline: false });
    });
    this.socket.on('connect_error', ({ message }) => {
      // the server has said no; or it cannot be reached, and the socket goes on trying
      if (!this.socket.active) this.logOut();
      this.setData({ error: message });
    });
    this.socket.on('message', message => {
      if (message.to.room === LOBBY.room) this.setData({ messages: [...this.data.messages, message] });
    });
    this.socket.on('news', ({ online }) => this.setData({ online })); // of who comes and goes; the first one comes before the answer to `enter`
  },

  async enter() {
    await ask(this.socket, 'enter');
    const messages = await ask(this.socket, 'join', LOBBY); // with what was missed
    this.setData({ isOnline: true, messages });
  },

  logOut() {
    this.setData({ me: null, isOnline: false });
  },
});
