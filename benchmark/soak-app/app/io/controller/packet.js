const { Controller } = require('egg');

module.exports = class PacketController extends Controller {
  echo() {
    const [data] = this.ctx.args;
    return this.ctx.service.notes.read(data);
  }

  async note() {
    const [data] = this.ctx.args;
    await this.ctx.service.notes.write(this.ctx.session.user, data);
  }

  /** Answers with the worker: all clients of all workers get it. */
  shout() {
    this.app.io.emit('news', this.ctx.args[0]);
    return process.pid;
  }

  async fail() {
    await this.ctx.service.notes.write(undefined);
  }

  enter() {
    this.ctx.join(this.ctx.args[0]);
    this.ctx.to(this.ctx.args[0]).emit('entered', this.ctx.id);
  }

  leave() {
    this.ctx.leave(this.ctx.args[0]);
  }

  async disconnect() {
    await this.ctx.service.notes.write(this.ctx.session.user, this.ctx.args[0]);
  }
};
