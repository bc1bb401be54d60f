'use strict';

module.exports = app =>
  class MessageController extends app.Controller {
    async echo() {
      const [message] = this.ctx.args;
      return this.ctx.service.message.answer(message);
    }

    async echoAndLog() {
      const [message] = this.ctx.args;
      this.ctx.logger.info('%j', message);
      return this.ctx.service.message.answer(message);
    }
  };
