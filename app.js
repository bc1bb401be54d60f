'use strict';

// Egg looks for a plugin's lifecycle here; the code is src/app.ts.
module.exports = require('./dist/app.js').default;
