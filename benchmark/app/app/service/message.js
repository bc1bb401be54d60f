'use strict';

module.exports = app =>
  class MessageService extends app.Service {
    answer(message) {
      return message;
    }

    receive() {
      globalThis.received++;
    }
  };
