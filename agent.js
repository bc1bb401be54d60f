'use strict';

// Egg looks for a plugin's lifecycle in the agent here; the code is src/agent.ts.
module.exports = require('./dist/agent.js').default;
