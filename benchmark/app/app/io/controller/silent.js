'use strict';

/** Messages that want no answer: the same in every version of this plugin. */
module.exports = app =>
  class SilentController extends app.Controller {
    async receive() {
      const [message] = this.ctx.args;
      this.ctx.service.message.receive(message);
    }

    async shout() {
      const [message] = this.ctx.args;
      app.io.emit('news', message);
    }

    async toRoom() {
      const [message] = this.ctx.args;
      app.io.to('room').emit('news', message);
    }

    async toOthers() {
      const [message] = this.ctx.args;
      this.ctx.socket.to('room').emit('news', message);
    }

    async toSelf() {
      const [message] = this.ctx.args;
      for (let i = 0; i < 20; i++) this.ctx.socket.emit('news', message);
    }

    async receiveBare() {
      globalThis.received++;
    }
  };
