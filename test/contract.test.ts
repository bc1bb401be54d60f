/** Contracts: what is validated, what clients get, and what stops the boot. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ReplyError, unwrap } from 'egg-socket.io/contract';
import { bootError, type Files, ROOT, startApp } from './support/app';
import { ask, connect, next } from './support/client';

const SCHEMAS = join(ROOT, 'test/schemas/node_modules');

/** Two schemas in each library, and the issues for a wrong argument of each. */
const LIBRARIES = {
  zod: {
    text: 'z.string().min(1)',
    place: 'z.object({ room: z.string(), at: z.string().transform(text => new Date(text)) })',
    issues: [
      { path: [0], message: 'Too small: expected string to have >=1 characters' },
      { path: [1, 'room'], message: 'Invalid input: expected string, received number' },
    ],
  },
  valibot: {
    text: 'v.pipe(v.string(), v.minLength(1))',
    place: 'v.object({ room: v.string(), at: v.pipe(v.string(), v.transform(text => new Date(text))) })',
    issues: [
      { path: [0], message: 'Invalid length: Expected >=1 but received 0' },
      { path: [1, 'room'], message: 'Invalid type: Expected string but received 1' },
    ],
  },
  arktype: {
    text: "type('string > 0')",
    place: "type({ room: 'string', at: type('string').pipe(text => new Date(text)) })",
    issues: [
      { path: [0], message: 'must be non-empty' },
      { path: [1, 'room'], message: 'room must be a string (was a number)' },
    ],
  },
};

/** What contracts of the tests are made of: `schema()` makes one of the app's own, by what it does with a value. */
const HEAD = `
  const { defineContract } = require('egg-socket.io/contract');
  const { z } = require('${SCHEMAS}/zod');
  const schema = validate => ({ '~standard': { version: 1, vendor: 'own', validate } });
  const any = schema(value => ({ value }));
`;

test('arguments are validated and transformed by the schemas of each library before the controller gets them', async t => {
  const contract = ({ text, place }: (typeof LIBRARIES)['zod'], name: string): string => `
    defineContract({ namespace: '/${name}', client: { say: { args: [${text}, ${place}], ack: any } }, server: {} })`;
  const { url, logs } = await startApp(t, {
    'app/router.js': `${HEAD}
      const v = require('${SCHEMAS}/valibot'), { type } = require('${SCHEMAS}/arktype');
      const contracts = [${Object.entries(LIBRARIES)
        .map(([name, library]) => contract(library, name))
        .join()}];
      module.exports = app => {
        for (const contract of contracts)
          app.io.of(contract).route('say', async ctx => {
            const [text, { room, at }, ...others] = ctx.args;
            return [text, room, at instanceof Date, others.length, ctx.packet.length, typeof ctx.ack];
          });
      };`,
  });
  for (const [name, { issues }] of Object.entries(LIBRARIES)) {
    const client = await connect(t, `${url}/${name}`);
    assert.deepEqual(
      await ask(client, 'say', 'hello', { room: 'lobby', at: '2030-01-01' }),
      ['hello', 'lobby', true, 0, 4, 'function'],
      name,
    );
    const error = { code: 'INVALID_ARGUMENT', message: "Invalid arguments of event 'say'", details: issues };
    assert.deepEqual(await ask(client, 'say', '', { room: 1, at: '2030-01-01' }), { error }, name);
    const lines = logs.filter(line => line.includes(`namespace /${name}`));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /^WARN .*event "say" failed, namespace \/\w+, socket \S+: IoError: Invalid arguments of event 'say'$/);
  }
});

/** An app whose clients may send anything. */
const INPUT: Files = {
  'app/io/controller/input.js': `
    exports.seen = [];
    exports.keep = async ctx => { exports.seen.push(ctx.packet); return 'kept'; };
    exports.keepSilently = async ctx => { exports.seen.push(ctx.packet); };
    exports.circle = async () => { const circle = {}; circle.circle = circle; return circle; };
    exports.show = async () => exports.seen;`,
  'app/router.js': `${HEAD}
    const ack = z.string();
    const async = z.string().refine(async text => text !== 'taken', 'It is taken');
    const node = z.object({ get nodes() { return z.array(node); } });
    const runs = [];
    const counted = schema(async value => (runs.push(value), value === undefined ? { value } : { issues: [{ message: 'Not undefined' }] }));
    const deep = { message: 'deep', path: Array.from({ length: 65 }, () => ({ key: 'k' })) };
    const contract = defineContract({
      namespace: '/input',
      client: {
        text: { args: [z.string(), z.number().optional()], ack },
        note: { args: [z.string()] },
        list: { args: [z.array(z.number())], ack },
        record: { args: [z.record(z.string(), z.number())], ack },
        object: { args: [z.object({ name: z.string() })], ack },
        strict: { args: [z.strictObject({ name: z.string() })], ack },
        late: { args: [async], ack: async },
        bug: { args: [schema(() => { throw new Error('a bug in a schema'); })], ack },
        lateBug: { args: [schema(async () => { throw new Error('a bug in a schema'); })], ack },
        empty: { args: [schema(() => ({ issues: [] }))], ack },
        shown: { args: [schema(() => { throw Object.assign(new Error('a bug in a schema'), { status: 400 }); })], ack },
        nothing: { args: [schema(() => undefined)], ack },
        neither: { args: [schema(() => ({}))], ack },
        thenable: { args: [schema(value => ({ then: done => done(value === 'free' ? { value } : { issues: [] }) }))], ack },
        tree: { args: [node], ack },
        counted: { args: [counted], ack },
        runs: { ack: any },
        unrouted: { ack },
        deep: { args: [schema(() => ({ issues: [deep] }))], ack },
        noMessage: { args: [schema(() => ({ issues: [{}] }))], ack },
        noIssue: { args: [schema(() => ({ issues: [null] }))], ack },
        noKey: { args: [schema(() => ({ issues: [{ message: 'a', path: [null] }] }))], ack },
        twice: { args: [schema(async () => { throw new Error('a bug in a schema'); }), schema(() => { throw new Error('another'); })], ack },
        5: { args: [z.string()] },
        circle: { ack: any },
        show: { ack: any },
      },
    });
    module.exports = app => {
      const { keep, keepSilently, circle, show } = app.io.controller.input;
      const nsp = app.io.of(contract).route('note', keepSilently).route('circle', circle).route('show', show);
      nsp.route('5', keepSilently).route('runs', async () => runs);
      nsp.route('tree', keep).route('counted', keep).route('deep', keep);
      nsp.route('noMessage', keep).route('noIssue', keep).route('noKey', keep);
      const others = ['list', 'record', 'object', 'strict', 'late', 'bug', 'lateBug', 'empty', 'shown', 'nothing', 'neither', 'thenable', 'twice'];
      for (const event of ['text', ...others]) nsp.route(event, keep);
    };`,
};

const TOO_LONG = 'x'.repeat(1000);

/** Events by what is wrong with them: the arguments, and the issues that are answered. */
const WRONG: Record<string, readonly [event: string, args: unknown[], issues: object[]]> = {
  'too few arguments': ['text', [], [{ path: [0], message: 'Invalid input: expected string, received undefined' }]],
  'too many arguments': ['text', ['a', 1, 2, 3], [{ path: [2], message: 'Unexpected argument' }]],
  'a wrong type': ['text', [{}], [{ path: [0], message: 'Invalid input: expected string, received object' }]],
  'null, which no schema takes': ['text', [null], [{ path: [0], message: 'Invalid input: expected string, received null' }]],
  'no list of what is wrong': ['empty', [1], [{ path: [0], message: 'Invalid' }]],
  'very many mistakes': [
    'list',
    [Array.from({ length: 5000 }, () => '')],
    Array.from({ length: 20 }, (_, index) => ({ path: [0, index], message: 'Invalid input: expected number, received string' })),
  ],
  'a very long key': [
    'record',
    [{ [TOO_LONG]: '' }],
    [{ path: [0, TOO_LONG.slice(0, 100)], message: 'Invalid input: expected number, received string' }],
  ],
  'a very long message': [
    'strict',
    [{ name: '', [TOO_LONG]: 1 }],
    [{ path: [0], message: `Unrecognized key: "${TOO_LONG}"`.slice(0, 200) }],
  ],
  'a very long path': ['deep', [1], [{ path: [0, ...Array.from({ length: 15 }, () => 'k')], message: 'deep' }]],
  'a mistake deep in a recursive schema': [
    'tree',
    [{ nodes: [{ nodes: [] }, { nodes: [{ nodes: 1 }] }] }],
    [{ path: [0, 'nodes', 1, 'nodes', 0, 'nodes'], message: 'Invalid input: expected array, received number' }],
  ],
  'a key __proto__': ['strict', [JSON.parse('{ "name": "", "__proto__": {} }')], [{ path: [0], message: 'Unrecognized key: "__proto__"' }]],
  'a thenable schema': ['thenable', ['taken'], [{ path: [0], message: 'Invalid' }]],
  'an asynchronous schema': ['late', ['taken'], [{ path: [0], message: 'It is taken' }]],
};

test('arguments that do not fit are answered with what is wrong, and never reach the controller', async t => {
  const { url } = await startApp(t, INPUT);
  const client = await connect(t, `${url}/input`);
  for (const [what, [event, args, details]] of Object.entries(WRONG)) {
    const error = { code: 'INVALID_ARGUMENT', message: `Invalid arguments of event '${event}'`, details };
    assert.deepEqual(await ask(client, event, ...args), { error }, what);
  }
  const heard = next(client, 'error');
  client.emit('text', 'nobody asks');
  assert.deepEqual(await heard, ["Invalid arguments of event 'text'", { code: 'INVALID_ARGUMENT', event: 'text' }], 'no acknowledgement');
  const heardNumber = next(client, 'error');
  client.emit(5 as unknown as string, 1); // the client's types want a text
  assert.deepEqual(await heardNumber, ["Invalid arguments of event '5'", { code: 'INVALID_ARGUMENT', event: 5 }]);
  assert.deepEqual(await ask(client, 'show'), []);
});

test('arguments that fit reach the controller as the schemas return them', async t => {
  const { url } = await startApp(t, INPUT);
  const client = await connect(t, `${url}/input`);
  client.emit('note', 'a');
  client.emit(5 as unknown as string, 'number'); // the client's types want a text
  assert.equal(await ask(client, 'text', 'left out', undefined), 'kept');
  assert.equal(await ask(client, 'note', 'asked'), null, 'the event has no acknowledgement, but the client asks for one');
  for (const [event, arg] of Object.entries({
    text: 'b',
    object: JSON.parse('{ "name": "c", "__proto__": { "more": 1 } }') as object,
    late: 'd',
    thenable: 'free',
  }))
    assert.equal(await ask(client, event, arg), 'kept');
  assert.deepEqual(await ask(client, 'show'), [
    ['note', 'a'],
    ['5', 'number'],
    ['text', 'left out', null, null],
    ['note', 'asked'],
    ['text', 'b', null, null],
    ['object', { name: 'c' }, null],
    ['late', 'd', null],
    ['thenable', 'free', null],
  ]); // functions and undefined are null
  assert.equal(Reflect.get({}, 'more'), undefined);
});

test('an asynchronous schema runs once for an argument, and not if there are too many of these', async t => {
  const { url } = await startApp(t, INPUT);
  const client = await connect(t, `${url}/input`);
  const details = (answer: unknown): unknown => (answer as { error: { details: unknown } }).error.details;
  assert.deepEqual(details(await ask(client, 'counted', 1, 2)), [{ path: [1], message: 'Unexpected argument' }]);
  assert.deepEqual(details(await ask(client, 'counted', null)), [{ path: [0], message: 'Not undefined' }]);
  assert.deepEqual(await ask(client, 'runs'), [null]);
});

test('asynchronous schemas after a synchronous one that refuses are not called, and nobody waits for those before it', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `${HEAD}
      const calls = [];
      const text = schema(value => (typeof value === 'string' ? { value } : { issues: [{ message: 'No text' }] }));
      const late = schema(async value => { calls.push(value); return value === 'free' ? { value } : { issues: [{ message: 'Taken' }] }; });
      const never = schema(value => (value === 'free' ? Promise.resolve({ value }) : new Promise(() => {})));
      const contract = defineContract({
        namespace: '/late',
        client: { rename: { args: [text, late, text], ack: any }, first: { args: [never, text], ack: any }, calls: { ack: any } },
      });
      module.exports = app => {
        app.io.of(contract).route('calls', async () => calls.splice(0));
        for (const event of ['rename', 'first']) app.io.of(contract).route(event, async () => 'done');
      };`,
  });
  const client = await connect(t, `${url}/late`);
  const details = (answer: unknown): unknown => (answer as { error: { details: unknown } }).error.details;
  const noText = (index: number): object => ({ path: [index], message: 'No text' });
  assert.deepEqual(details(await ask(client, 'rename', 1, 'taken', 2)), [noText(0), noText(2)]);
  assert.deepEqual(await ask(client, 'calls'), ['taken'], 'nobody knows yet that it is asynchronous');
  assert.deepEqual(details(await ask(client, 'rename', 1, 'taken', 2)), [noText(0), noText(2)]);
  assert.deepEqual(await ask(client, 'calls'), []);
  assert.deepEqual(details(await ask(client, 'rename', 'a', 'taken', 'b')), [{ path: [1], message: 'Taken' }]);
  assert.equal(await ask(client, 'rename', 'a', 'free', 'b'), 'done');
  assert.deepEqual(await ask(client, 'calls'), ['taken', 'free']);
  assert.deepEqual(details(await ask(client, 'first', 'taken', 1)), [noText(1)]);
  assert.equal(await ask(client, 'first', 'free', 'a'), 'done');
});

test('an asynchronous schema of zod runs once a packet, as soon as it is known to be asynchronous', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `${HEAD}
      const calls = [];
      const free = z.string().refine(async text => {
        calls.push(text);
        if (text === 'down') throw new Error('no database');
        return text !== 'taken';
      }, 'It is taken').transform(text => text.toUpperCase());
      const contract = defineContract({ namespace: '/late', client: { rename: { args: [free], ack: any }, calls: { ack: any } } });
      module.exports = app => {
        app.io.of(contract).route('calls', async () => calls.splice(0)).route('rename', async ctx => ctx.args[0]);
      };`,
  });
  const client = await connect(t, `${url}/late`);
  assert.equal(await ask(client, 'rename', 'ann'), 'ANN');
  assert.deepEqual(await ask(client, 'calls'), ['ann', 'ann'], 'by zod itself, which tries it synchronously first');
  assert.equal(await ask(client, 'rename', 'bob'), 'BOB');
  const { error } = (await ask(client, 'rename', 'taken')) as { error: { details: unknown } };
  assert.deepEqual(error.details, [{ path: [0], message: 'It is taken' }]);
  assert.match(JSON.stringify(await ask(client, 'rename', 'down')), /"INTERNAL_SERVER_ERROR"/);
  assert.deepEqual(await ask(client, 'calls'), ['bob', 'taken', 'down']);
});

/** The same contract in each library, and what differs in the issues. */
const BAD_INPUT = {
  zod: {
    text: 'z.string()',
    optional: 'z.number().optional()',
    numbers: 'z.array(z.number())',
    closed: 'z.strictObject({ name: z.string() })',
    anything: 'z.unknown()',
    throws: "z.string().refine(() => { throw new Error('a bug in a schema'); })",
    async: "z.string().refine(async text => text !== 'taken', 'It is taken')",
    missing: 'Invalid input: expected string, received undefined',
    wrong: 'Invalid input: expected string, received object',
    notNumber: () => 'Invalid input: expected number, received string',
    proto: { path: [0], message: 'Unrecognized key: "__proto__"' },
  },
  valibot: {
    text: 'v.string()',
    optional: 'v.optional(v.number())',
    numbers: 'v.array(v.number())',
    closed: 'v.strictObject({ name: v.string() })',
    anything: 'v.unknown()',
    throws: "v.pipe(v.string(), v.check(() => { throw new Error('a bug in a schema'); }))",
    async: "v.pipeAsync(v.string(), v.checkAsync(async text => text !== 'taken', 'It is taken'))",
    missing: 'Invalid type: Expected string but received undefined',
    wrong: 'Invalid type: Expected string but received Object',
    notNumber: () => 'Invalid type: Expected number but received ""',
    proto: { path: [0, '__proto__'], message: 'Invalid key: Expected never but received "__proto__"' },
  },
  arktype: {
    text: "type('string')",
    optional: "type('number | undefined')",
    numbers: "type('number[]')",
    closed: "type({ name: 'string', '+': 'reject' })",
    anything: "type('unknown')",
    throws: "type('string').narrow(() => { throw new Error('a bug in a schema'); })",
    async: undefined, // it has no asynchronous types
    missing: 'must be a string (was undefined)',
    wrong: 'must be a string (was an object)',
    notNumber: (index: number) => `value at [${index}] must be a number (was a string)`,
    proto: { path: [0, '__proto__'], message: '__proto__ must be removed' },
  },
};

test('bad input gets the same answers with the schemas of each library', async t => {
  const contractOf = ([name, { text, optional, numbers, closed, anything, throws, async }]: [
    string,
    (typeof BAD_INPUT)[keyof typeof BAD_INPUT],
  ]): string => `
    defineContract({
      namespace: '/${name}',
      client: {
        text: { args: [${text}, ${optional}], ack: ${anything} }, numbers: { args: [${numbers}], ack: ${anything} },
        closed: { args: [${closed}], ack: ${anything} }, throws: { args: [${throws}], ack: ${anything} },
        async: { args: [${async ?? anything}], ack: ${async ?? anything} }, circle: { args: [${text}], ack: ${anything} },
        note: { args: [${text}] }, answerCircle: { ack: ${anything} },
      },
    })`;
  const { url, logs } = await startApp(
    t,
    {
      'config/config.default.js': `
        exports.io = { namespace: { ${Object.keys(BAD_INPUT)
          .map(name => `'/${name}': { packetMiddleware: ['circle'] }`)
          .join()} } };`,
      'app/io/middleware/circle.js': `
        module.exports = () => async (ctx, next) => {
          if (ctx.packet[0] === 'circle') ctx.args = [ctx.app.circle, ctx.ack];
          await next();
        };`,
      'app/router.js': `${HEAD}
        const v = require('${SCHEMAS}/valibot'), { type } = require('${SCHEMAS}/arktype');
        module.exports = app => {
          app.circle = {};
          app.circle.circle = app.circle;
          for (const contract of [${Object.entries(BAD_INPUT).map(contractOf).join()}]) {
            const nsp = app.io.of(contract);
            for (const event of Object.keys(contract.client)) nsp.route(event, async ctx => (event === 'answerCircle' ? app.circle : 'kept'));
          }
        };`,
    },
    { env: 'prod' },
  );
  const fault = { error: { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error' } };
  for (const [name, { missing, wrong, notNumber, proto, async }] of Object.entries(BAD_INPUT)) {
    const client = await connect(t, `${url}/${name}`);
    const answers = async (event: string, args: unknown[], ...details: object[]): Promise<void> =>
      assert.deepEqual(
        await ask(client, event, ...args),
        { error: { code: 'INVALID_ARGUMENT', message: `Invalid arguments of event '${event}'`, details } },
        `${event} of ${name}`,
      );
    await answers('text', [], { path: [0], message: missing });
    await answers('text', ['a', 1, 2, 3], { path: [2], message: 'Unexpected argument' });
    await answers('text', [{}], { path: [0], message: wrong });
    const many = Array.from({ length: 20 }, (_, index) => ({ path: [0, index], message: notNumber(index) }));
    await answers('numbers', [Array.from({ length: 5000 }, () => '')], ...many);
    await answers('closed', [JSON.parse('{ "name": "", "__proto__": {} }')], proto);
    await answers('circle', ['a'], { path: [0], message: wrong });
    if (async !== undefined) {
      await answers('async', ['taken'], { path: [0], message: 'It is taken' });
      assert.equal(await ask(client, 'async', 'free'), 'kept');
    }
    for (const [event, args] of [
      ['throws', ['a']],
      ['answerCircle', []],
    ] as const)
      assert.deepEqual(await ask(client, event, ...args), fault);
    assert.equal(await ask(client, 'note', 'a'), null, 'no acknowledgement in the contract');
    const heard = next(client, 'error');
    client.emit('text', 'a'); // an acknowledgement in the contract, and none wanted
    assert.deepEqual(await heard, ["Invalid arguments of event 'text'", { code: 'INVALID_ARGUMENT', event: 'text' }]);
    const mistakes = logs.filter(line => line.startsWith('ERROR') && line.includes(`namespace /${name},`));
    assert.equal(mistakes.length, 2);
    assert.match(mistakes[0] ?? '', /IO_SCHEMA_FAILED: schema 0 of event 'throws'/);
  }
});

test('an event of the contract without a route is validated, and then treated like any other event without one', async t => {
  const { url } = await startApp(t, INPUT);
  const client = await connect(t, `${url}/input`);
  const answers: unknown[] = [];
  client.emit('unrouted', (answer: unknown) => answers.push(answer)); // gets none by default
  client.emit('unrouted', 1, (answer: unknown) => answers.push(answer));
  assert.deepEqual(await ask(client, 'show'), []);
  const details = [{ path: [0], message: 'Unexpected argument' }];
  assert.deepEqual(answers, [{ error: { code: 'INVALID_ARGUMENT', message: "Invalid arguments of event 'unrouted'", details } }]);
});

test('a schema that throws or returns no result, and an acknowledgement in a circle, are mistakes of the server', async t => {
  const { url, logs } = await startApp(t, INPUT, { env: 'prod' });
  const client = await connect(t, `${url}/input`);
  const error = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error' };
  const bugs = ['bug', 'lateBug', 'shown', 'nothing', 'neither', 'twice', 'noMessage', 'noIssue', 'noKey'];
  for (const event of bugs) assert.deepEqual(await ask(client, event, 1), { error }, event);
  assert.deepEqual(await ask(client, 'circle'), { error });
  assert.deepEqual(
    logs.filter(line => line.startsWith('ERROR')).map(line => /event "(\w+)" failed/.exec(line)?.[1]),
    [...bugs, 'circle'],
  );
  assert.deepEqual(
    logs
      .map(line => /event "(\w+)" failed.* IO_SCHEMA_FAILED: schema \d of event '\1' of namespace '\/input' /.exec(line)?.[1])
      .filter(Boolean),
    bugs,
  );
  assert.equal(await ask(client, 'text', 'still there'), 'kept');
});

test('packet middleware runs before the arguments are validated, and listeners get what the schemas return', async t => {
  const { url } = await startApp(t, {
    'config/config.default.js': `exports.io = { namespace: { '/chat': { packetMiddleware: ['trim'] } } };`,
    'app/io/middleware/trim.js': `
      module.exports = () => async (ctx, next) => {
        ctx.args[0] = String(ctx.args[0]).trim();
        await next();
      };`,
    'app/io/controller/chat.js': `
      module.exports = app => class extends app.Controller {
        async say() { return ['controller', ...this.ctx.args]; }
      };`,
    'app/router.js': `${HEAD}
      const upper = z.string().min(1).transform(text => text.toUpperCase());
      const contract = defineContract({ namespace: 'chat', client: { say: { args: [upper], ack: any }, hear: { args: [upper], ack: any } } });
      module.exports = app => {
        app.io.of('/chat').route('say', app.io.controller.chat.say);
        app.io.of(contract, socket => {
          socket.on('hear', (text, ack) => ack(['listener', text]));
          socket.on('unknown', (text, ack) => ack(['listener', text]));
        });
      };`,
  });
  const client = await connect(t, `${url}/chat`);
  assert.deepEqual(await ask(client, 'say', ' a '), ['controller', 'A']);
  assert.deepEqual(await ask(client, 'hear', ' a '), ['listener', 'A']);
  const details = [{ path: [0], message: 'Too small: expected string to have >=1 characters' }];
  for (const event of ['say', 'hear'])
    assert.deepEqual(await ask(client, event, '  '), {
      error: { code: 'INVALID_ARGUMENT', message: `Invalid arguments of event '${event}'`, details },
    });
  assert.deepEqual(
    await ask(client, 'unknown', ' a '),
    ['listener', ' a '],
    'an event that the contract does not have is an event without a route',
  );
});

test('middleware gets the value of the controller from next(), and the functions of socket.use() may change arguments that it has read', async t => {
  const { url } = await startApp(t, {
    'config/config.default.js': `
      const namespace = { packetMiddleware: ['record'] };
      exports.io = { namespace: { '/with': namespace, '/without': namespace } };`,
    'app/io/middleware/record.js': `
      module.exports = () => async (ctx, next) => {
        if (ctx.packet[0] === 'say') ctx.args[0] = ctx.args[0].trim();
        const value = await next();
        if (ctx.packet[0] !== 'show') (ctx.app.values ??= []).push([ctx.packet[0], value === undefined ? 'undefined' : value]);
      };`,
    'app/router.js': `${HEAD}
      const text = z.string();
      const contract = defineContract({
        namespace: '/with',
        client: { say: { args: [text, text, text.optional()], ack: any }, note: {}, nothing: { ack: z.void() }, show: { ack: any } },
      });
      const use = (packet, next) => {
        if (packet[0] === 'say') packet[2] = packet[2].replace('<b>', '');
        if (packet[1] === 'more') packet.splice(3, 0, 'added');
        next();
      };
      module.exports = app => {
        for (const nsp of [app.io.of(contract), app.io.of('/without')])
          nsp
            .route('say', async ctx => ctx.args.filter(arg => typeof arg === 'string'))
            .route('note', async () => 'noted')
            .route('nothing', async () => {})
            .route('show', async () => app.values.splice(0))
            .on('connection', socket => socket.use(use));
      };`,
  });
  for (const namespace of ['/with', '/without']) {
    const client = await connect(t, url + namespace);
    assert.deepEqual(await ask(client, 'say', ' a ', '<b>b'), ['a', 'b'], namespace);
    assert.deepEqual(await ask(client, 'say', 'more', '<b>b'), ['more', 'b', 'added'], namespace);
    client.emit('note');
    const nothing = namespace === '/with' ? await ask(client, 'nothing') : null;
    const noted = await ask(client, 'note');
    assert.deepEqual([nothing, noted], [null, namespace === '/with' ? null : 'noted']);
    assert.deepEqual(await ask(client, 'show'), [
      ['say', ['a', 'b']],
      ['say', ['more', 'b', 'added']],
      ['note', 'noted'],
      ...(namespace === '/with' ? [['nothing', 'undefined']] : []),
      ['note', 'noted'],
    ]);
  }
});

/** An app that answers and emits what its clients tell it to. */
const OUTPUT: Files = {
  'app/router.js': `${HEAD}
    const answer = z.object({ sent: z.string() });
    const late = z.string().refine(async text => text !== 'taken');
    const counts = z.record(z.string(), z.number());
    const contract = defineContract({
      namespace: '/output',
      client: {
        return: { args: [any], ack: answer },
        returnLate: { args: [any], ack: late },
        ack: { args: [any], ack: answer },
        ackLate: { args: [any], ack: late },
        hear: { args: [any], ack: answer },
        emit: { args: [z.string(), z.array(z.any())], ack: any },
        returnCounts: { args: [any], ack: counts },
        emitAfterViolation: { ack: any },
        emitCircle: { args: [z.string()], ack: any },
      },
      server: {
        said: { args: [z.string(), z.number().optional()] }, saidLate: { args: [late] }, counted: { args: [counts] }, asked: {}, anything: { args: [any] },
      },
    });
    /** What there is to emit with. */
    const emitters = ({ io, socket }) => ({
      socket, volatile: socket.volatile,
      namespace: io.of(contract), room: io.of('/output').to('room'), others: socket.broadcast, broadcast: io.of(contract).except('nobody'),
    });
    module.exports = app => {
      app.io.of(contract)
        .route('return', async ctx => ctx.args[0])
        .route('returnLate', async ctx => ctx.args[0])
        .route('ack', async ctx => { ctx.ack(ctx.args[0]); })
        .route('ackLate', async ctx => { ctx.ack(ctx.args[0]); })
        .route('returnCounts', async ctx => ctx.args[0])
        .route('emitAfterViolation', async ({ socket }) => {
          try {
            socket.timeout(60_000).emit('nope', () => {});
          } catch {}
          return new Promise(resolve => socket.emit('asked', (...answer) => resolve(answer)));
        })
        .route('emitCircle', async ctx => {
          const circle = {};
          circle.circle = circle;
          try {
            emitters({ io: app.io, socket: ctx.socket })[ctx.args[0]].emit('anything', circle);
          } catch (error) {
            return error.code;
          }
        })
        .route('emit', async ctx => {
          const [how, packet] = ctx.args;
          try {
            emitters({ io: app.io, socket: ctx.socket })[how].emit(...packet);
          } catch (error) {
            return [error.name, error.code, error.message.replace(/ \\(.*/, '')];
          }
          return 'emitted';
        });
      app.io.of(contract).on('connection', socket => {
        socket.join('room');
        socket.on('hear', (value, ack) => ack(value));
      });
    };`,
};

const PREFIX = '[egg-socket.io] IO_CONTRACT_VIOLATED: ';

/** A value whose key is data, and begins a line of its own. */
const COUNTS = { 'alice@example.com\n2030-01-01 ERROR': 'x' };

test('while the app is developed, an acknowledgement that does not fit is an error, and is not sent', async t => {
  const { url, logged } = await startApp(t, OUTPUT);
  const client = await connect(t, `${url}/output`);
  for (const event of ['return', 'ack', 'hear']) {
    assert.deepEqual(await ask(client, event, { sent: 'a' }), { sent: 'a' });
    assert.deepEqual(await ask(client, event, { error: { code: 'FULL', message: 'No room' } }), {
      error: { code: 'FULL', message: 'No room' },
    });
    const problem = `the acknowledgement of event '${event}' of namespace '/output' does not fit at .sent: Invalid input: expected string, received number`;
    const answer = (await ask(client, event, { sent: 1 })) as { error: { code: string; message: string } };
    assert.equal(answer.error.code, 'INTERNAL_SERVER_ERROR', event);
    assert.ok(answer.error.message.startsWith(PREFIX + problem), answer.error.message);
    await logged(new RegExp(`ERROR .*event "${event}" failed.*IO_CONTRACT_VIOLATED`, 's'));
    assert.match(
      JSON.stringify(await ask(client, event, { id: 7, error: { code: 'FULL', message: 'No room' } })),
      /IO_CONTRACT_VIOLATED/,
      'an error is alone in its answer',
    );
  }
  assert.equal(await ask(client, 'returnLate', 'free'), 'free');
  assert.match(
    JSON.stringify(await ask(client, 'returnLate', 'taken')),
    /'returnLate' of namespace '\/output' does not fit: Invalid input/,
  );
  assert.match(
    JSON.stringify(await ask(client, 'ackLate', 'free')),
    /'ackLate' of namespace '\/output' has an asynchronous schema, which cannot be waited for/,
  );
});

test('while the app is developed, an event that the contract does not let the server emit throws, and reaches nobody', async t => {
  const { url } = await startApp(t, OUTPUT);
  const client = await connect(t, `${url}/output`);
  const heard: unknown[] = [];
  client.onAny((...packet: unknown[]) => heard.push(packet));
  for (const how of ['socket', 'volatile', 'namespace', 'room', 'broadcast', 'others']) {
    const emit = (...packet: unknown[]): Promise<unknown> => ask(client, 'emit', how, packet);
    const violation = (problem: string): unknown => ['TypeError', 'IO_CONTRACT_VIOLATED', PREFIX + problem];
    const said = "event 'said' of namespace '/output' does not fit at";
    assert.equal(await emit('said', how, 1), 'emitted');
    assert.equal(await emit('said', how), 'emitted');
    assert.equal(await emit('said', how, null), 'emitted'); // null, or undefined, which arrives as null
    assert.deepEqual(await emit('said', 1), violation(`${said} [0]: Invalid input: expected string, received number`));
    assert.deepEqual(
      await emit('counted', COUNTS),
      violation(
        "event 'counted' of namespace '/output' does not fit at [0].alice@example.com 2030-01-01 ERROR: Invalid input: expected number, received string",
      ),
    );
    assert.deepEqual(await emit('said', 'a', 1, 2), violation(`${said} [2]: Unexpected argument`));
    assert.deepEqual(
      await emit('saidLate', 'a'),
      violation("event 'saidLate' of namespace '/output' has an asynchronous schema, which cannot be waited for"),
    );
    assert.deepEqual(
      await emit('nope'),
      violation("event 'nope' of namespace '/output' is not in the contract, among the events of the server"),
    );
  }
  for (const how of ['socket', 'room']) assert.equal(await ask(client, 'emitCircle', how), 'IO_EMIT_INVALID');
  client.once('asked', (answer: (value: string) => void) => answer('here'));
  assert.deepEqual(await ask(client, 'emitAfterViolation'), ['here'], 'without the time-out of the emit that threw');
  heard.pop(); // asked
  const expected = ['socket', 'volatile', 'namespace', 'room', 'broadcast'].flatMap(how => [
    ['said', how, 1],
    ['said', how],
    ['said', how, null],
  ]);
  assert.deepEqual(heard, expected);
});

test('in production, what the server sends is checked only if the config says so, and the log has none of it', async t => {
  const env = 'prod';
  const unchecked = await startApp(t, OUTPUT, { env });
  const client = await connect(t, `${unchecked.url}/output`);
  for (const event of ['return', 'ack', 'hear']) assert.deepEqual(await ask(client, event, { sent: 1 }), { sent: 1 });
  for (const how of ['socket', 'room']) assert.equal(await ask(client, 'emit', how, ['nope']), 'emitted');
  await unchecked.close();
  const checked = await startApp(
    t,
    {
      ...OUTPUT,
      'config/config.default.js': 'exports.io = { checkOutgoing: true };',
      // gives each namespace a new adapter
      'app.js': `module.exports = class {
        constructor(app) { this.app = app; }
        async willReady() { this.app.io.adapter(this.app.io.adapter()); }
      };`,
    },
    { env },
  );
  const other = await connect(t, `${checked.url}/output`);
  const error = { code: 'INTERNAL_SERVER_ERROR', message: 'Internal Server Error' };
  assert.deepEqual(await ask(other, 'return', { sent: 1 }), { error });
  assert.match(
    await checked.logged(/IO_CONTRACT_VIOLATED/),
    /the acknowledgement of event 'return' of namespace '\/output' does not fit \(egg-socket\.io\/docs/,
  );
  assert.deepEqual(await ask(other, 'returnCounts', COUNTS), { error });
  assert.match(await checked.logged(/'returnCounts'/), /'returnCounts' of namespace '\/output' does not fit \(egg-socket\.io\/docs/);
  assert.deepEqual(await ask(other, 'emit', 'room', ['counted', COUNTS]), [
    'TypeError',
    'IO_CONTRACT_VIOLATED',
    `${PREFIX}event 'counted' of namespace '/output' does not fit at [0]`,
  ]);
  assert.doesNotMatch(checked.logs.join('\n'), /alice/);
  const problem = "event 'said' of namespace '/output' does not fit at [0]";
  assert.deepEqual(await ask(other, 'emit', 'room', ['said', 1]), ['TypeError', 'IO_CONTRACT_VIOLATED', PREFIX + problem]);
});

/** Handlers that return no answer, or one that is none. */
const NO_ANSWER: Files = {
  'app/router.js': `${HEAD}
    const ack = z.object({ sent: z.boolean() });
    const contract = defineContract({
      namespace: '/answers',
      client: { forgets: { ack }, chains: { ack }, nothing: { ack: z.void() }, answers: { ack }, fails: { ack }, note: { args: [z.string()] },
        listener: { ack }, quiet: {}, returns: { ack } },
    });
    module.exports = app => {
      app.io.of(contract)
        .route('forgets', async () => {})
        .route('chains', async ctx => ctx.socket.broadcast)
        .route('nothing', async () => {})
        .route('answers', async ctx => { ctx.ack({ sent: true }); })
        .route('fails', async () => Object.assign(new Error('no room'), { status: 409, code: 'FULL' }))
        .route('note', async ctx => ctx.args[0])
        .route('returns', async () => ({ sent: true }))
        .on('connection', socket => {
          socket.on('listener', ack => setImmediate(ack, { sent: true }));
          socket.on('quiet', (...args) => app.logger.warn('quiet: %j', args));
        });
    };`,
};

test('a client that asks for an acknowledgement gets one, whatever the handler returns', async t => {
  for (const env of ['unittest', 'prod']) {
    const { url, logged } = await startApp(t, NO_ANSWER, { env });
    const client = await connect(t, `${url}/answers`);
    for (const event of ['forgets', 'chains']) {
      const answer = await ask(client, event);
      if (env === 'prod') assert.equal(answer, null, event);
      else {
        assert.match(JSON.stringify(answer), /INTERNAL_SERVER_ERROR.*IO_CONTRACT_VIOLATED/, event);
        const problem = `ERROR .*event "${event}" failed.* the acknowledgement of event '${event}' of namespace '/answers' does not fit: Invalid input`;
        await logged(new RegExp(problem));
      }
    }
    assert.equal(await ask(client, 'nothing'), null);
    assert.deepEqual(await ask(client, 'answers'), { sent: true });
    assert.deepEqual(await ask(client, 'listener'), { sent: true });
    assert.deepEqual(await ask(client, 'fails'), { error: { code: 'FULL', message: 'no room' } }, 'a returned error is thrown');
    client.emit('quiet');
    await logged(/quiet: \[\]/);
  }
});

test('unwrap() throws for an error and for no other answer', () => {
  const error = { code: 'FULL', message: 'No room' };
  for (const answer of [null, undefined, 0, [], {}, { error: 'a' }, { error: {} }, { id: 7, error }]) assert.equal(unwrap(answer), answer);
  assert.throws(() => unwrap({ error }), error);
});

test('the error that unwrap() throws has the issues of a contract, and none of what else an app may have as details', () => {
  const issuesOf = (details?: unknown): unknown => {
    try {
      return unwrap({ error: { code: 'INVALID_ARGUMENT', message: 'No', details } });
    } catch (error) {
      return (error as ReplyError).issues;
    }
  };
  const issues = [{ path: [1, 'room'], message: 'Too long' }];
  assert.deepEqual(issuesOf(issues), issues);
  for (const details of [undefined, 'No', { path: [], message: 'No' }]) assert.deepEqual(issuesOf(details), []);
  const ofEggValidate = { code: 'invalid', field: 'room', message: 'Too long' };
  assert.deepEqual(issuesOf([null, ofEggValidate, { path: 'room', message: 'Too long' }, { path: [0] }]), []);
});

test('the option `retries` of the client, which asks for an acknowledgement of each event, works with a contract', async t => {
  const { url } = await startApp(t, NO_ANSWER);
  const client = await connect(t, `${url}/answers`, { retries: 1, ackTimeout: 20_000 });
  const answers: unknown[] = [];
  client.emit('note', 'a', (...answer: unknown[]) => answers.push(answer));
  client.emit('quiet', (...answer: unknown[]) => answers.push(answer));
  client.emit('note', 'b'); // sent when the one before is answered
  assert.deepEqual(await client.emitWithAck('returns'), { sent: true });
  assert.deepEqual(answers, [
    [null, null],
    [null, null],
  ]);
});

test('with a contract, a returned value is the acknowledgement in the mode of egg-socket.io 4 as well', async t => {
  const { url } = await startApp(t, { ...NO_ANSWER, 'config/config.default.js': "exports.io = { acknowledge: 'callback' };" });
  const client = await connect(t, `${url}/answers`);
  assert.deepEqual(await ask(client, 'returns'), { sent: true });
});

test('a contract that comes when the app has started, or is for a namespace with another one, changes nothing', async t => {
  const { url } = await startApp(t, {
    'app/router.js': `${HEAD}
      const contract = defineContract({ namespace: '/chat', client: { say: { args: [z.string()], ack: any } } });
      const problem = of => {
        try {
          of();
        } catch ({ name, code, message }) {
          return [name, code, message.replace(/ \\(egg.*/, '')];
        }
      };
      module.exports = app => {
        const { io } = app;
        const early = [
          problem(() => io.of({ namespace: '/left', client: 1 })),
          problem(() => io.of('/routed').route('say', async () => 1).server.of({ namespace: 'routed' })),
          problem(() => (io.of(contract), io.of({ ...contract }))),
        ];
        io.of(contract).route('say', async () => [early, problem(() => io.of({ namespace: '/late' })), problem(() => io.of(contract)) ?? null, [...io._nsps.keys()]]);
        io.of('/routed').route('leave', async () => 'routed');
      };`,
  });
  const client = await connect(t, `${url}/chat`);
  const prefix = '[egg-socket.io] ';
  const [early, late, again, namespaces] = (await ask(client, 'say', 'hello')) as unknown[];
  assert.deepEqual(early, [
    [
      'SetupError',
      'IO_CONTRACT_INVALID',
      `${prefix}IO_CONTRACT_INVALID: the contract of namespace '/left': client must be an object of events`,
    ],
    [
      'SetupError',
      'IO_ROUTE_INVALID',
      `${prefix}IO_ROUTE_INVALID: route('say') of namespace '/routed': the contract has no such event of clients; it has none`,
    ],
    [
      'SetupError',
      'IO_CONTRACT_DUPLICATE',
      `${prefix}IO_CONTRACT_DUPLICATE: namespace '/chat' has a contract already; put the events of both into one`,
    ],
  ]);
  assert.deepEqual(late, [
    'SetupError',
    'IO_CONTRACT_LATE',
    `${prefix}IO_CONTRACT_LATE: of(contract) for namespace '/late': the app has started; call it in app/router.js or app.js first`,
  ]);
  assert.equal(again, null);
  assert.deepEqual((namespaces as string[]).sort(), ['/', '/chat', '/routed']);
  assert.equal(await ask(await connect(t, `${url}/routed`), 'leave'), 'routed');
  const error = { code: 'INVALID_ARGUMENT', message: "Invalid arguments of event 'say'" };
  assert.deepEqual(await ask(client, 'say'), {
    error: { ...error, details: [{ path: [0], message: 'Invalid input: expected string, received undefined' }] },
  });
});

/** What stops the boot, by its code and sentence. */
const MISTAKES: readonly (readonly [routes: string, code: string, sentence: RegExp])[] = [
  [
    "io.of({ namespace: '/a' }); io.of({ namespace: 'a' })",
    'IO_CONTRACT_DUPLICATE',
    /namespace '\/a' has a contract already; put the events of both into one/,
  ],
  ['io.of({})', 'IO_CONTRACT_INVALID', /of\(contract\): the contract's namespace must be a string, such as '\/chat'/],
  [
    "io.of({ namespace: '/a', clients: {} })",
    'IO_CONTRACT_INVALID',
    /the contract of namespace '\/a': it has clients; it can have namespace, client, server, data/,
  ],
  ["io.of({ namespace: '/a', client: null })", 'IO_CONTRACT_INVALID', /client must be an object of events/],
  ["io.of({ namespace: '/a', server: null })", 'IO_CONTRACT_INVALID', /server must be an object of events/],
  ["io.of({ namespace: '/a', client: { '': {} } })", 'IO_CONTRACT_INVALID', /client\[''\]: an event must have a name/],
  ["io.of({ namespace: '/a', client: [] })", 'IO_CONTRACT_INVALID', /client must be an object of events/],
  ["io.of({ namespace: '/a', server: { say: any } })", 'IO_CONTRACT_INVALID', /server\['say'\]: it has ~standard; it can have args/],
  ["io.of({ namespace: '/a', client: { say: 1 } })", 'IO_CONTRACT_INVALID', /client\['say'\]: it must be an object with args and ack/],
  [
    "io.of({ namespace: '/a', client: { say: { args: any } } })",
    'IO_CONTRACT_INVALID',
    /args must be an array of schemas, one for each argument/,
  ],
  [
    "io.of({ namespace: '/a', client: { say: { args: [any, {}] } } })",
    'IO_CONTRACT_INVALID',
    /client\['say'\]\.args\[1\]: it must be a schema of a library with Standard Schema 1/,
  ],
  ["io.of({ namespace: '/a', client: { say: { ack: String } } })", 'IO_CONTRACT_INVALID', /client\['say'\]\.ack: it must be a schema/],
  ["io.of({ namespace: '/a', data: 1 })", 'IO_CONTRACT_INVALID', /data: it must be a schema/],
  [
    "io.of({ namespace: '/a', client: { disconnect: {} } })",
    'IO_CONTRACT_INVALID',
    /client\['disconnect'\]: Socket\.IO and this plugin reserve this event/,
  ],
  [
    "io.of({ namespace: '/a', client: { say: {}, leave: {} } }).route('sya', fn)",
    'IO_ROUTE_INVALID',
    /route\('sya'\) of namespace '\/a': the contract has no such event of clients; it has say, leave/,
  ],
  ["io.of('/a').route('say', fn); io.of({ namespace: '/a' })", 'IO_ROUTE_INVALID', /route\('say'\) of namespace '\/a': .*; it has none/],
];

test('a mistake in a contract stops the boot', async t => {
  for (const [routes, code, sentence] of MISTAKES) {
    const error = await bootError(t, {
      'app/router.js': `${HEAD} const fn = async () => {}; module.exports = ({ io }) => { ${routes}; };`,
    });
    assert.equal(error.code, code, routes);
    assert.match(error.message, sentence);
  }
});

test('a contract can be named again, and its namespace can have routes for events of the server', async t => {
  const { url, logged } = await startApp(t, {
    'app/router.js': `${HEAD}
      const contract = defineContract({ namespace: '/chat', client: { say: { args: [z.string()], ack: z.string() } } });
      module.exports = app => {
        app.io.of(contract).route('disconnect', async ctx => ctx.logger.warn('gone: %j', ctx.args));
        app.io.of(contract).route('say', async ctx => app.io.of(contract).name);
      };`,
  });
  const client = await connect(t, `${url}/chat`);
  assert.equal(await ask(client, 'say', 'hello'), '/chat');
  client.disconnect();
  await logged(/gone: \["client namespace disconnect"\]/);
});
