'use strict';

module.exports = app =>
  class MessageController extends app.Controller {
    async echo() {
      const [message, ack] = this.ctx.args;
      ack(this.ctx.service.message.answer(message));
    }

    async echoAndLog() {
      const [message, ack] = this.ctx.args;
      this.ctx.logger.info('%j', message);
      ack(this.ctx.service.message.answer(message));
    }
  };
