'use strict';

const { format } = require('node:util');

// Keeps what the app logs from its first line on, for tests to look at: app.capturedLogs
module.exports = class {
  constructor(app) {
    app.capturedLogs = [];
    for (const logger of new Set([app.logger, app.coreLogger])) {
      logger.set('capture', {
        enabled: true,
        shouldLog: level => level !== 'DEBUG',
        log: (level, args) => {
          app.capturedLogs.push(`${level} ${format(...args)}`);
          app.emit('captured');
        },
        reload() {},
        flush() {},
        close() {},
        end() {},
      });
    }
  }
};
