import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { serve } from '../../serve.mjs';

const require = createRequire(import.meta.url);
const { Bootstrap } = require('@midwayjs/bootstrap');
const { Framework } = require('@midwayjs/socketio');

await Bootstrap.configure({ logger: false, appDir: import.meta.dirname, imports: require('./dist/app.js').MainConfiguration }).run();
const server = createServer();
(await Bootstrap.getApplicationContext().getAsync(Framework)).getApplication().attach(server);
await serve(server, {
  '@midwayjs/core': require('@midwayjs/core/package.json').version,
  '@midwayjs/socketio': require('@midwayjs/socketio/package.json').version,
});
