import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app';

const SERVICES = {
  'app/service/one.js': `module.exports = app => class extends app.Service { who() { return this.ctx.args[0]; } two() { return this.service.two.who(); } };`,
  'app/service/two.js': `module.exports = app => class extends app.Service { who() { return 'two of ' + this.ctx.service.one.who(); } };`,
  'app/service/admin/user.js': `module.exports = app => class extends app.Service { who() { return 'admin ' + this.ctx.args[0]; } };`,
  'app/service/plain.js': `module.exports = { kind: 'object' };`,
};
const ROUTER = `module.exports = app => app.io.route('ask', app.io.controller.ask);`;

test('ctx.service has what app/service has: classes, folders, objects; each made once for a context', async t => {
  const { open } = await startApp(t, {
    ...SERVICES,
    'app/io/controller/ask.js': `
      const seen = new Set();
      module.exports = async ctx => {
        const { service } = ctx;
        const same = service === ctx.service && service.one === ctx.service.one && service.admin.user === ctx.service.admin.user;
        const isNew = ![service, service.one, service.admin, service.admin.user].some(made => seen.has(made));
        for (const made of [service, service.one, service.admin, service.admin.user]) seen.add(made);
        await null;
        return [same, isNew, service.one.ctx === ctx, service.one.two(), service.admin.user.who(), service.plain.kind, service.none === undefined, 'one' in service, 'none' in service];
      };`,
    'app/router.js': ROUTER,
  });
  const client = await open();
  const answer = (n: number): unknown[] => [true, true, true, `two of ${n}`, `admin ${n}`, 'object', true, true, false];
  assert.deepEqual(await Promise.all([1, 2].map(n => client.call('ask', n))), [answer(1), answer(2)]);
});

test('a method or a class that a test puts in the place of a service’s is the one that handlers get', async t => {
  const { app, open } = await startApp(t, {
    ...SERVICES,
    'app/io/controller/ask.js': `module.exports = async ctx => ctx.service.one.who();`,
    'app/router.js': ROUTER,
  });
  const client = await open();
  assert.equal(await client.call('ask', 1), 1);
  app.mockService('one', 'who', () => 'replaced');
  assert.equal(await client.call('ask', 1), 'replaced');
  app.serviceClasses['one'] = class {
    who(): string {
      return 'of another class';
    }
  };
  assert.equal(await client.call('ask', 1), 'of another class');
});

test('an app without services has an empty ctx.service', async t => {
  const { open } = await startApp(t, {
    'app/io/controller/ask.js': `module.exports = async ctx => Object.keys(ctx.service).filter(name => !name.startsWith('_'));`,
    'app/router.js': ROUTER,
  });
  const client = await open();
  assert.deepEqual(await client.call('ask'), []);
});
