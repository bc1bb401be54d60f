'use strict';

module.exports = app =>
  class LoginController extends app.Controller {
    async login() {
      this.ctx.session.user = { id: 42, name: 'alice' };
      this.ctx.body = 'ok';
    }
  };
