'use strict';

module.exports = app =>
  class BareController extends app.Controller {
    async echo() {
      const [message, ack] = this.ctx.args;
      ack(message);
    }
  };
