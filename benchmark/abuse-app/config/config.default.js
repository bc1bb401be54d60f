const { join } = require('node:path');

const { ABUSE_DIR, ABUSE_CONFIG } = process.env;

module.exports = () => ({
  keys: 'abuse',
  rundir: join(ABUSE_DIR, 'run'),
  logger: { dir: join(ABUSE_DIR, 'logs'), level: 'NONE', consoleLevel: 'NONE' },
  cluster: { listen: { hostname: '127.0.0.1' } },
  ...JSON.parse(ABUSE_CONFIG),
});
