'use strict';

// for compilers that do not read `exports` of package.json
module.exports = require('./dist/testing/test');
