'use strict';

// for bundlers and compilers that do not read `exports` of package.json
module.exports = require('./dist/client/client');
