'use strict';

module.exports = app =>
  class AdaptersController extends app.Controller {
    async enter() {
      await this.ctx.socket.join('room');
      return true;
    }

    /** To the room, or to all. With the time: of a clock that all processes of the machine share, in microseconds. */
    async tell() {
      const [room] = this.ctx.args;
      const target = room ? app.io.to(room) : app.io;
      target.emit('news', { text: 'hello world', at: Number(process.hrtime.bigint() / 1000n) });
    }
  };
