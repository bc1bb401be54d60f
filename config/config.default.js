'use strict';

// Egg looks for a plugin's default config here; the code is src/config.default.ts.
module.exports = require('../dist/config.default.js').default;
