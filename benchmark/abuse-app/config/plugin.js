exports.io = { enable: true, path: require('node:path').resolve(__dirname, '../../..') };
