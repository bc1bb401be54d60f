'use strict';

module.exports = app =>
  class BareController extends app.Controller {
    async echo() {
      const [message] = this.ctx.args;
      return message;
    }
  };
