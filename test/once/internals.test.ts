/** Members of other packages that are not part of their public API: they are there, and a release that lacks one is told of at the boot. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { createAdapter as createRedisAdapter, RedisAdapter } from '@socket.io/redis-adapter';
import { Namespace, Server } from 'socket.io';
import { Adapter } from 'socket.io-adapter';
import { bootError, startApp } from '../support/app';
import {
  adapterInternals,
  checkInternals,
  makeSpecimens,
  requireMembers,
  socketIoInternals,
  TESTED_VERSIONS,
  webSocketSpecimens,
} from '../support/parts';

type Members = Parameters<typeof requireMembers>[0];

const { MongoAdapter } = require('@socket.io/mongo-adapter') as { MongoAdapter: { prototype: object } };
const { createAdapter: createStreamsAdapter } = require('@socket.io/redis-streams-adapter') as {
  createAdapter(client: object, options: object): (nsp: Namespace) => object;
};
const { PostgresAdapter } = require('@socket.io/postgres-adapter') as { PostgresAdapter: { prototype: object } };

/** Each list, with an object of the installed version that has all members. */
function installed(): [Members, object][] {
  const nsp = new Server().of('/');
  const client = { on() {}, psubscribe() {}, subscribe() {} };
  const streams = { ...client, options: {}, duplicate: () => streams, xread: () => new Promise(() => {}) };
  return [
    ...makeSpecimens(),
    ...webSocketSpecimens(),
    [adapterInternals.CLUSTER_ADAPTER, PostgresAdapter.prototype],
    [adapterInternals.RECOVERING_ADAPTER, new Adapter(nsp)],
    [adapterInternals.REDIS_ADAPTER, RedisAdapter.prototype],
    [adapterInternals.REDIS_ADAPTER_FIELDS, createRedisAdapter(client, client)(nsp)],
    [adapterInternals.STREAMS_ADAPTER, createStreamsAdapter(streams, {})(nsp)],
    [adapterInternals.MONGO_ADAPTER, MongoAdapter.prototype],
  ];
}

const without = (object: object, member: string): object => new Proxy(object, { has: (target, key) => key !== member && key in target });

test('the installed versions have every member that is used', () => {
  const lines: string[] = [];
  const all = installed();
  checkInternals(all, line => lines.push(line));
  assert.deepEqual(lines, []);
  const lists = [...Object.values(socketIoInternals), ...Object.values(adapterInternals)].filter(
    value => typeof value === 'object' && value !== null,
  );
  const looked = new Set(all.map(([members]) => members));
  assert.deepEqual(
    lists.filter(members => !looked.has(members)),
    [],
  );
});

test('the versions that are named as a remedy are those of the tests', () => {
  for (const [name, version] of Object.entries(TESTED_VERSIONS)) {
    assert.throws(
      () => requireMembers({ package: name, owner: 'Any', why: { missing: '' } }, {}),
      (error: Error) => error.message.includes(`${name} ${version} has no Any.missing; run \`npm i ${name}@${version}\``),
      name,
    );
  }
});

test('a release that lacks a member which correctness needs stops the boot, and one that is only slower does not', () => {
  for (const [members, object] of installed()) {
    for (const member of Object.keys(members.why)) {
      const lines: string[] = [];
      const check = (): void => checkInternals([[members, without(object, member)]], line => lines.push(line));
      const missing = `${members.package} ${TESTED_VERSIONS[members.package]} has no ${members.owner}.${member}`;
      if (members.fallback === undefined) {
        const message = `[egg-socket.io] IO_INTERNALS_MISSING: ${missing}; run \`npm i ${members.package}@${TESTED_VERSIONS[members.package]}\``;
        assert.throws(
          check,
          (error: Error & { code?: string }) => error.code === 'IO_INTERNALS_MISSING' && error.message.startsWith(message),
        );
      } else {
        check();
        assert.deepEqual(lines, [`[egg-socket.io] ${missing}: ${members.fallback}`]);
      }
    }
  }
});

test('an app does not start where Socket.IO lacks a method, and starts where a newer version has it', async t => {
  const run = Object.getOwnPropertyDescriptor(Namespace.prototype, 'run');
  assert(run);
  Reflect.deleteProperty(Namespace.prototype, 'run');
  t.after(() => Object.defineProperty(Namespace.prototype, 'run', run));
  const read = fs.readFileSync;
  t.mock.method(fs, 'readFileSync', (...args: Parameters<typeof read>) => {
    const content = read(...args);
    return /node_modules.socket\.io.package\.json$/.test(String(args[0]))
      ? String(content).replace('"version": "4', '"version": "94')
      : content;
  });
  const error = await bootError(t, {});
  assert.equal(error.code, 'IO_INTERNALS_MISSING');
  assert.match(error.message, /socket\.io 94\.\d+\.\d+ has no Namespace\.run; run `npm i socket\.io@4/);
  Object.defineProperty(Namespace.prototype, 'run', run);
  await startApp(t, {});
});
