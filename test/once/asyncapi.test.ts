/** The AsyncAPI document is true: its schemas accept what a real app accepts from a real client, and refuse what it refuses. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Files, ROOT, startApp } from '../support/app';
import { ask, connect, next } from '../support/client';
import { checkTypes } from '../support/typescript';

const COMMAND = join(ROOT, 'migrate/dist/egg-socket.io.js');
const MODULES = join(ROOT, 'test/documents/node_modules');
const LIBRARIES = ['zod', 'valibot', 'arktype'] as const;

type Library = (typeof LIBRARIES)[number];

/** The schemas of an event's arguments in each library, and messages that a client sends. */
interface EventCase {
  readonly schemas: Partial<Record<Library, string>>;
  readonly messages: readonly unknown[][];
  /** JSON Schema cannot express all of it: the document may accept more than the server. */
  readonly isLooser?: true;
}

const EVENTS: Readonly<Record<string, EventCase>> = {
  text: {
    schemas: {
      zod: 'z.string().min(1).max(3)',
      valibot: 'v.pipe(v.string(), v.minLength(1), v.maxLength(3))',
      arktype: "type('1 <= string <= 3')",
    },
    messages: [['a'], [''], ['abcd'], [1], [null], [], ['a', 'b']],
  },
  long: {
    schemas: {
      zod: 'z.string().min(2)',
      valibot: 'v.record(v.pipe(v.string(), v.minLength(2)), v.pipe(v.string(), v.minLength(2)))',
      arktype: "type('string >= 2')",
    },
    messages: [['aa'], ['\u{1F600}'], [{ '\u{1F600}': '\u{1F600}' }], [1]],
    isLooser: true,
  },
  fraction: {
    schemas: { zod: 'z.number().multipleOf(0.01)', valibot: 'v.pipe(v.number(), v.multipleOf(0.01))' },
    messages: [[19.99], [4.35], [0.02], ['a']],
    isLooser: true,
  },
  even: {
    schemas: { zod: 'z.number().multipleOf(2)', valibot: 'v.pipe(v.number(), v.multipleOf(2))', arktype: "type('number % 2')" },
    messages: [[2], [3]],
  },
  time: {
    schemas: { zod: 'z.iso.duration()', valibot: 'v.pipe(v.string(), v.isoTime())' },
    messages: [['12:00'], ['PT1.5S'], [1]],
    isLooser: true,
  },
  address: {
    schemas: { zod: 'z.url()', valibot: 'v.pipe(v.string(), v.url())', arktype: "type('string.url')" },
    messages: [['http://example.com/\u00e4'], ['a b'], [1]],
    isLooser: true,
  },
  mail: {
    schemas: { zod: 'z.email({ pattern: z.regexes.html5Email })' },
    messages: [['a@localhost'], ['a']],
    isLooser: true,
  },
  oldPattern: {
    schemas: {
      zod: 'z.string().regex(/^[\\w-.]+$/)',
      valibot: 'v.pipe(v.string(), v.regex(/^[\\w-.]+$/))',
      arktype: 'type(/^[\\w-.]+$/)',
    },
    messages: [['a-b.c'], [' '], [1]],
    isLooser: true,
  },
  rounded: {
    schemas: { zod: 'z.number().overwrite(Math.round).int().max(3), z.array(z.number()).overwrite(list => [...new Set(list)]).max(1)' },
    messages: [
      [3.4, [1, 1]],
      ['a', [1, 1]],
    ],
    isLooser: true,
  },
  replacedItem: { schemas: { zod: "z.tuple([z.string().catch('a')])" }, messages: [[[]], [[1]], [1]], isLooser: true },
  replacedKind: {
    schemas: {
      zod: "z.discriminatedUnion('kind', [z.object({ kind: z.literal('a').catch('a') }), z.object({ kind: z.literal('b') })])",
    },
    messages: [[{ kind: 'a' }], [{ kind: 'b' }], [1]],
    isLooser: true,
  },
  replacedByNothing: { schemas: { valibot: 'v.fallback(v.optional(v.string()), undefined)' }, messages: [[1], ['a']], isLooser: true },
  needed: {
    schemas: { zod: 'z.object({ name: z.unknown(), age: z.number().catch(0) })' },
    messages: [[{ name: 1 }], [{}], [{ age: 'a' }]],
    isLooser: true,
  },
  optional: {
    schemas: {
      zod: 'z.string(), z.number().default(1)',
      valibot: 'v.string(), v.optional(v.number(), 1)',
      arktype: "type('string'), type('number | undefined')",
    },
    messages: [['a'], ['a', 1], ['a', null], ['a', 'b'], [], [null, 1], ['a', 1, 2]],
  },
  middle: {
    schemas: {
      zod: 'z.string().optional(), z.number()',
      valibot: 'v.optional(v.string()), v.number()',
      arktype: "type('string | undefined'), type('number')",
    },
    messages: [['a', 1], [null, 1], ['a'], [1, 1], []],
  },
  nullable: {
    schemas: { zod: 'z.string().nullable()', valibot: 'v.nullable(v.string())', arktype: "type('string | null')" },
    messages: [['a'], [null], [], [1]],
  },
  tuple: {
    schemas: {
      zod: 'z.tuple([z.string(), z.number()])',
      valibot: 'v.strictTuple([v.string(), v.number()])',
      arktype: "type(['string', 'number'])",
    },
    messages: [[['a', 1]], [['a', 'b']], [[1, 'a']], [['a']], [[]], [['a', 1, 2]], ['a']],
  },
  shortTuple: {
    schemas: {
      zod: 'z.tuple([z.string(), z.number().optional()])',
      valibot: 'v.strictTuple([v.string(), v.optional(v.number())])',
      arktype: "type(['string', 'number?'])",
    },
    messages: [[['a', 1]], [['a']], [[]], [['a', 'b']]],
  },
  rest: {
    schemas: {
      zod: 'z.tuple([z.string()], z.number())',
      valibot: 'v.tupleWithRest([v.string()], v.number())',
      arktype: "type(['string', '...', 'number[]'])",
    },
    messages: [[['a']], [['a', 1, 2]], [['a', 1, 'b']], [[]]],
  },
  object: {
    schemas: {
      zod: "z.object({ name: z.string(), age: z.number().optional(), role: z.string().default('guest') })",
      valibot: "v.object({ name: v.string(), age: v.optional(v.number()), role: v.optional(v.string(), 'guest') })",
      arktype: `type({ name: 'string', 'age?': 'number', role: "string = 'guest'" })`,
    },
    messages: [[{ name: 'a' }], [{ name: 'a', age: 1, role: 'b', more: 1 }], [{}], [{ name: 'a', age: 'b' }], [{ name: 'a', role: 1 }]],
  },
  strict: {
    schemas: {
      zod: 'z.strictObject({ name: z.string() })',
      valibot: 'v.strictObject({ name: v.string() })',
      arktype: "type({ '+': 'reject', name: 'string' })",
    },
    messages: [[{ name: 'a' }], [{ name: 'a', more: 1 }], [{}]],
  },
  choice: {
    schemas: {
      zod: "z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), x: z.number() }), z.object({ kind: z.literal('b'), y: z.string() })])",
      valibot: "v.variant('kind', [v.object({ kind: v.literal('a'), x: v.number() }), v.object({ kind: v.literal('b'), y: v.string() })])",
      arktype: `type({ kind: "'a'", x: 'number' }).or({ kind: "'b'", y: 'string' })`,
    },
    messages: [[{ kind: 'a', x: 1 }], [{ kind: 'b', y: 'c' }], [{ kind: 'a', y: 'c' }], [{ kind: 'c' }], ['a']],
  },
  tree: {
    schemas: { zod: 'zodTree, zodTree', valibot: 'valibotTree, valibotTree', arktype: 'arktypeTree, arktypeTree' },
    messages: [
      [{ nodes: [] }, { nodes: [{ nodes: [] }] }],
      [{ nodes: [] }, { nodes: [{ nodes: [1] }] }],
      [{ nodes: [{ nodes: 1 }] }, { nodes: [] }],
    ],
  },
  transformed: {
    schemas: {
      zod: 'z.string().transform(text => text.length).pipe(z.number().max(1))',
      valibot: 'v.pipe(v.string(), v.transform(text => text.length), v.maxValue(1))',
      arktype: "type('string').pipe(text => text.length).to('number <= 1')",
    },
    messages: [['a'], [1], ['abc']],
    isLooser: true,
  },
  trimmed: {
    schemas: {
      zod: 'z.string().trim().max(1)',
      valibot: 'v.pipe(v.string(), v.trim(), v.maxLength(1))',
      arktype: "type('string.trim').to('string <= 1')",
    },
    messages: [['a'], [' a '], ['ab'], [1]],
    isLooser: true,
  },
  flags: {
    schemas: { zod: 'z.string().regex(/^a/i)', valibot: 'v.pipe(v.string(), v.regex(/^a/i))', arktype: 'type({ "#": /^a/i }).get("#")' },
    messages: [['a'], ['A'], ['b'], [1]],
    isLooser: true,
  },
  refined: {
    schemas: {
      zod: "z.string().refine(text => text !== 'b')",
      valibot: "v.pipe(v.string(), v.check(text => text !== 'b'), v.minLength(1))",
      arktype: "type('string').narrow(text => text !== 'b')",
    },
    messages: [['a'], ['b'], [1]],
    isLooser: true,
  },
  replaced: {
    schemas: {
      zod: "z.object({ name: z.string().catch('none'), age: z.coerce.number() })",
      valibot:
        "v.object({ name: v.fallback(v.pipe(v.string(), v.minLength(1)), 'none'), age: v.pipe(v.unknown(), v.transform(Number), v.number()) })",
    },
    messages: [[{ name: 'a', age: '5' }], [{ name: 1, age: 5 }], [{ age: true }], [1]],
    isLooser: true,
  },
  prepared: { schemas: { zod: 'z.preprocess(String, z.string())' }, messages: [['a'], [1]], isLooser: true },
  decoded: {
    schemas: { zod: 'z.stringbool()', arktype: "type('string.json.parse')" },
    messages: [['true'], ['?'], [1]],
    isLooser: true,
  },
  keywords: {
    schemas: { zod: 'z.object({ default: zodTree, enum: zodTree })', valibot: 'v.object({ default: valibotTree, enum: valibotTree })' },
    messages: [[{ default: { nodes: [] }, enum: { nodes: [{ nodes: [] }] } }], [{ default: { nodes: [] }, enum: { nodes: [1] } }]],
  },
  rejecting: {
    schemas: {
      valibot: `v.tupleAsync([v.string(), v.pipeAsync(v.any(), v.checkAsync(async value => {
        if (value === undefined) throw new Error('of nobody');
        return true;
      }))])`,
    },
    messages: [[['a', 1]], [[1, 1]]],
    isLooser: true,
  },
  bytes: {
    schemas: { zod: 'z.instanceof(Uint8Array)', valibot: 'v.instance(Uint8Array)', arktype: 'type.instanceOf(Uint8Array)' },
    messages: [[Buffer.from('a')], ['a']],
    isLooser: true,
  },
};

/** Arrays of texts that may be undefined, and tuples of two of them. */
const GAPS: Readonly<Record<Library, string>> = {
  zod: 'z.array(z.string().optional()), z.tuple([z.string().optional(), z.string()], z.number().optional())',
  valibot: 'v.array(v.optional(v.string())), v.tupleWithRest([v.optional(v.string()), v.string()], v.optional(v.number()))',
  arktype: "type('(string | undefined)[]'), type(['string | undefined', 'string', '...', '(number | undefined)[]'])",
};

/** What a library makes of a text with a description and examples. The last example is wrong. */
const DESCRIBED: Readonly<Record<Library, string>> = {
  zod: "z.string().max(5).meta({ description: 'What to say', examples: ['hello', 'bye', 'far too long'] })",
  valibot: "v.pipe(v.string(), v.maxLength(5), v.description('What to say'), v.metadata({ examples: ['hello', 'bye', 'far too long'] }))",
  arktype: "type('string <= 5').configure({ description: 'What to say', examples: ['hello', 'bye', 'far too long'] })",
};

const ACKS: Readonly<Record<Library, string>> = {
  zod: 'z.strictObject({ count: z.number() })',
  valibot: 'v.strictObject({ count: v.number() })',
  arktype: "type({ '+': 'reject', count: 'number' })",
};

const FILES: Files = {
  'package.json': JSON.stringify({ name: 'truth', version: '1.0.0' }),
  'config/config.default.js': "exports.io = { documents: '/io-docs' };",
  'app/router.js': `
    const { z } = require('zod'), v = require('valibot'), { type } = require('arktype');
    const zodTree = z.object({ get nodes() { return z.array(zodTree); } });
    const valibotTree = v.object({ nodes: v.array(v.lazy(() => valibotTree)) });
    const arktypeTree = type.module({ tree: { nodes: 'tree[]' } }).tree;
    const count = async ctx => ({ count: ctx.args.length });
    module.exports = app => {
      app.io.of({ namespace: '/room-{id}', server: { joined: {} } });
      ${LIBRARIES.map(
        library => `{
        const ack = ${ACKS[library]}, described = ${DESCRIBED[library]};
        const nsp = app.io.of({
          namespace: '/${library}',
          client: {
            ${eventsOf(library)
              .map(([event, { schemas }]) => `${event}: { args: [${schemas[library]}], ack },`)
              .join('\n')}
            described: { args: [described, described], ack },
            'odd name/~1 %25': { ack },
            silent: {},
            show: { ack },
          },
          server: { shown: { args: [described, ack] }, gaps: { args: [${GAPS[library]}] } },
        });
        for (const event of [${eventsOf(library)
          .map(([event]) => `'${event}'`)
          .join()}, 'described', 'odd name/~1 %25']) nsp.route(event, count);
        nsp.route('show', async ctx => { ctx.socket.emit('shown', 'hello', { count: 1 }); ctx.socket.emit('gaps', ['a', undefined], [undefined, 'a', undefined]); return { count: 1 }; });
      }`,
      ).join('\n')}
    };`,
};

interface Document {
  readonly channels: Readonly<Record<string, { readonly messages: Readonly<Record<string, Message>> }>>;
}

interface Message {
  readonly name: string;
  readonly examples?: readonly { readonly payload: unknown }[];
  readonly payload: { readonly schema: { readonly items?: readonly { readonly description?: string }[] } };
}

type Check = (value: unknown) => boolean;

test('the AsyncAPI document of an app', async t => {
  const { url, baseDir } = await startApp(t, FILES);
  const document = (await (await fetch(`${url}/io-docs.json`)).json()) as Document; // compared below

  await t.test('is valid by the official parser', async () => {
    const { Parser } = require(join(MODULES, '@asyncapi/parser')) as {
      Parser: new () => { parse(text: string): Promise<{ document?: unknown; diagnostics: { code: string }[] }> };
    };
    const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
    assert.ok(parsed);
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ['asyncapi-latest-version'], // more programs read 3.0 than 3.1
    );
  });

  for (const library of LIBRARIES) {
    await t.test(`accepts the messages that the server accepts, and refuses the others, with ${library}`, async t => {
      const checkOf = validator(document);
      const client = await connect(t, `${url}/${library}`);
      for (const [event, { messages, isLooser }] of eventsOf(library)) {
        const fits = checkOf(library, `client.${event}`);
        const fitsReply = checkOf(library, `client.${event}.reply`);
        const isAccepted: boolean[] = [];
        for (const args of messages) {
          const answer = (await ask(client, event, ...args)) as { error?: { code: string } };
          const accepted = answer.error?.code !== 'INVALID_ARGUMENT';
          isAccepted.push(accepted);
          assert.ok(fitsReply(answer), `the answer to ${event} ${JSON.stringify(args)}`);
          if (accepted || !isLooser) assert.equal(fits(args), accepted, `${event} ${JSON.stringify(args)}`);
        }
        assert.ok(isAccepted.includes(true) && (isLooser === true || isAccepted.includes(false)), `${event} has messages of both kinds`);
        assert.ok(!fitsReply({ count: 'a' }) && !fitsReply(null), 'a reply of another form');
      }
    });

    await t.test(`has true examples and descriptions, and what the server emits fits, with ${library}`, async t => {
      const checkOf = validator(document);
      const messages = document.channels[library]?.messages ?? {};
      let examples = 0;
      for (const [id, message] of Object.entries(messages))
        for (const { payload } of message.examples ?? []) {
          examples++;
          assert.ok(checkOf(library, id)(payload), `${id} ${JSON.stringify(payload)}`);
        }
      assert.equal(examples, 2, 'those of the event `described`');
      assert.deepEqual(messages['client.described']?.examples, [{ payload: ['hello', 'hello'] }, { payload: ['bye', 'bye'] }]);
      assert.equal(messages['client.described']?.payload.schema.items?.[0]?.description, 'What to say');
      const notes: Record<string, RegExp> = {
        flags: /: flags of a regular expression\.$/,
        bytes: /: an instance of Uint8Array\.$/,
        address: /format uri\.$/,
        oldPattern: /: a regular expression that the flag u does not allow\.$/,
        ...(library !== 'valibot' && { decoded: /codec|morph/ }),
      };
      for (const [event, note] of Object.entries(notes))
        assert.match(messages[`client.${event}`]?.payload.schema.items?.[0]?.description ?? '', note, event);

      const client = await connect(t, `${url}/${library}`);
      const [shown, gaps] = await Promise.all([next(client, 'shown'), next(client, 'gaps'), ask(client, 'show')]);
      assert.deepEqual(gaps, [
        ['a', null],
        [null, 'a', null],
      ]);
      assert.ok(checkOf(library, 'server.gaps')(gaps));
      assert.ok(
        !checkOf(
          library,
          'server.gaps',
        )([
          ['a', 1],
          [null, 'a'],
        ]),
      );
      assert.ok(checkOf(library, 'server.shown')(shown));
      assert.ok(!checkOf(library, 'server.shown')(['hello', { count: 'a' }]));
      const failure = next(client, 'error');
      client.emit('silent', 'one argument too many');
      assert.ok(checkOf(library, 'server.error')(await failure));
      const odd = Object.entries(messages).find(([, { name }]) => name === 'odd name/~1 %25');
      assert.deepEqual([checkOf(library, odd?.[0] ?? '')([]), checkOf(library, odd?.[0] ?? '')([1])], [true, false]);
    });
  }

  await t.test('has a counterpart in TypeScript, with which the official client compiles, and mistakes do not', async t => {
    const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, 'client'], { cwd: baseDir });
    const page = `
      import { io } from 'socket.io-client';
      import type { ArktypeSocket, ValibotSocket, ZodSocket } from './events.js';
      ${LIBRARIES.map(library => pageOf(`${library[0]?.toUpperCase()}${library.slice(1)}`)).join('\n')}`;
    await checkTypes(t, { 'events.d.ts': stdout, 'page.ts': page });
    await assert.rejects(
      checkTypes(t, { 'events.d.ts': stdout, 'page.ts': page.replaceAll('// @ts-expect-error', '') }),
      (error: Error) => {
        assert.equal(error.message.match(/error TS/g)?.length, 7 * LIBRARIES.length);
        return true;
      },
    );
  });
});

test('the types for clients compile whatever namespaces and schemas are called, and say what else an object may have', async t => {
  const names = ['/2024', '/chat', '/\u804a\u5929', '/\u5927\u5385', '/a*/b'];
  const { baseDir } = await startApp(t, {
    'app/router.js': `
      const { z } = require('zod');
      const tree = z.object({ get nodes() { return z.array(tree); } }).meta({ id: 'Record' });
      const own = z.object({ get own() { return z.array(own); } }).meta({ id: 'ChatSocket' });
      const names = ${JSON.stringify(names)};
      module.exports = app => {
        for (const namespace of names) app.io.of({
          namespace,
          client: {
            names: { args: [tree, own, z.record(z.string(), z.number())] },
            open: { args: [z.looseObject({ a: z.string() })] },
            gap: { args: [z.string().optional(), z.number()] },
          },
        });
      };`,
  });
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, 'client'], { cwd: baseDir });
  const page = `
    import type { _2024Socket, ChatSocket, \u804a\u5929Socket, \u5927\u5385Socket, ABSocket } from './events.js';
    export function use(...sockets: (_2024Socket | ChatSocket | \u804a\u5929Socket | \u5927\u5385Socket | ABSocket)[]): void {
      for (const socket of sockets) {
        socket.emit('names', { nodes: [] }, { own: [] }, { a: 1 });
        socket.emit('open', { a: 'b', c: 1 });
        socket.emit('gap', undefined, 1);
      }
    }`;
  await checkTypes(t, { 'events.d.ts': stdout, 'page.ts': page });
});

function pageOf(library: string): string {
  return `
    export async function use${library}(): Promise<void> {
      const socket: ${library}Socket = io('/');
      const reply = await socket.emitWithAck('optional', 'a');
      if ('error' in reply) console.log(reply.error.code.length);
      else console.log(reply.count.toFixed());
      await socket.emitWithAck('optional', 'a', 1);
      socket.emit('tuple', ['a', 1], answer => console.log('error' in answer ? answer.error.details : answer.count));
      socket.emit('choice', { kind: 'b', y: 'c' }, () => {});
      socket.emit('bytes', new Uint8Array(1), answer => console.log('error' in answer ? answer.error.code : answer.count));
      socket.emit('tree', { nodes: [{ nodes: [] }] }, { nodes: [] }, () => {});
      socket.emit('silent');
      socket.on('shown', (text, { count }) => console.log(text.length + count));
      socket.on('error', (message, { code }) => console.log(message.length, code.length));
      // @ts-expect-error
      socket.emit('nowhere');
      // @ts-expect-error
      socket.emit('silent', 1);
      // @ts-expect-error
      await socket.emitWithAck('optional', 1);
      // @ts-expect-error
      socket.emit('tuple', ['a', 'b'], () => {});
      // @ts-expect-error
      socket.emit('choice', { kind: 'a', y: 'c' }, () => {});
      // @ts-expect-error
      socket.emit('tree', { nodes: [{ nodes: 1 }] }, { nodes: [] }, () => {});
      // @ts-expect-error
      socket.on('shown', (text: number) => console.log(text));
    }`;
}

function eventsOf(library: Library): [string, EventCase][] {
  return Object.entries(EVENTS).filter(([, { schemas }]) => schemas[library] !== undefined);
}

/** Validates by schemas of the document, where they are in it: they refer to each other. */
function validator(document: Document): (channel: string, message: string) => Check {
  const { default: Ajv } = require(join(MODULES, 'ajv')) as {
    default: new (options: object) => { addSchema(schema: object, key: string): void; compile(schema: object): Check };
  };
  const { default: addFormats } = require(join(MODULES, 'ajv-formats')) as { default: (ajv: object) => void };
  const ajv = new Ajv({ strict: false });
  addFormats(ajv);
  ajv.addSchema(document, 'document');
  return (channel, message) => ajv.compile({ $ref: `document#/channels/${channel}/messages/${message}/payload/schema` });
}
