'use strict';

module.exports = app =>
  class ClusterController extends app.Controller {
    async where() {
      const [ack] = this.ctx.args;
      ack([process.pid, false]);
    }
  };
