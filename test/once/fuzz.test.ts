/**
 * What parses bytes of clients, of other processes and of backends, with inputs that are made up at random: nothing is thrown but what the caller
 * expects, and what was written is read again. `npm run fuzz` takes minutes for it. A case that was found is an example of its property.
 */
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Server } from 'socket.io';
import {
  AnswerReader,
  Answers,
  clusterMessages,
  controlFrame,
  countedAs,
  decodeEvent,
  decodeHead,
  decodeOutcome,
  eachFrame,
  encodeHead,
  encodeOutcome,
  FrameReader,
  guardDecoder,
  handoverTexts,
  HEADER,
  headersOf,
  helloOf,
  hosts,
  hubMessages,
  InvalidMessage,
  Link,
  MAX_FRAME,
  offsets,
  ownerNamedBy,
  PacketCodec,
  postgresMessages,
  presenceMessages,
  pubsubMessages,
  readHubRequest,
  redisEntries,
  Stays,
  userIdOf,
} from '../support/parts';

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);

/** In the suite the same inputs each time: it is not to fail by chance. */
const SEED = process.env['FUZZ_RUNS'] === undefined ? { seed: 17 } : {};

function holds<Inputs extends [unknown, ...unknown[]]>(property: fc.IPropertyWithHooks<Inputs>, examples: Inputs[] = []): void {
  fc.assert(property, { ...SEED, numRuns: RUNS, examples });
}

/** A value of JSON that looks like a message: fields of messages, with values of any type. */
function messageWith(fields: readonly string[]): fc.Arbitrary<unknown> {
  const value = fc.oneof(
    fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 9, 'reply', 'broadcast', 'kept', 'join', 'changes', 'copy', '/', null, undefined, [], {}),
    fc.jsonValue({ maxDepth: 3 }),
    fc.dictionary(fc.constantFrom(...fields), fc.jsonValue({ maxDepth: 2 })),
    fc.array(fc.oneof(fc.string(), fc.integer(), fc.constantFrom('2["x"]', 'egg-socket.io encoded'))),
  );
  return fc.oneof(fc.dictionary(fc.constantFrom(...fields), value), fc.jsonValue());
}

/** What a function returns, or undefined if it throws what its caller expects. */
function unless<Result>(expected: new (...args: never[]) => Error, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof expected) return undefined;
    throw error;
  }
}

/** Bytes in pieces of any size. */
function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

const CUTS = fc.array(fc.nat(), { maxLength: 6 });
const BYTES = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes));
/** Objects as literals make them. */
const PLAIN = { noNullPrototype: true };
const codec = new PacketCodec(new Server().of('/'));

test('messages of clients: an event is decoded as by Socket.IO, and everything else left to it', () => {
  const { Decoder } = guardDecoder(new Server()._parser, {
    newest: undefined,
    maxAuth: 64_000,
    onNested: () => {},
    onPart: () => {},
    onComplete: () => {},
  });
  const name = fc.oneof(fc.string(), fc.constantFrom('connect', 'disconnect', '__proto__'));
  const event = fc.tuple(
    fc.constantFrom('', '/,', '/chat,', '/a?b,'),
    fc.constantFrom('', '0', '7', '999999999999999'),
    name,
    fc.array(fc.jsonValue()),
  );
  holds(
    fc.property(event, fc.option(fc.tuple(fc.nat(), fc.string({ maxLength: 2 })), { nil: undefined }), ([nsp, id, name, args], change) => {
      let text = `2${nsp}${id}${JSON.stringify([name, ...args])}`;
      if (change) {
        const at = change[0] % (text.length + 1);
        text = text.slice(0, at) + change[1] + text.slice(at + 1);
      }
      const message = Buffer.from(`4${text}`);
      let expected: unknown;
      const decoder = new Decoder();
      decoder.on('decoded', packet => (expected = packet));
      unless(Error, () => decoder.add(message.toString().slice(1)));
      const packet = decodeEvent(message);
      if (packet || !change) assert.deepStrictEqual(packet, expected);
    }),
  );
  holds(fc.property(BYTES, bytes => void decodeEvent(Buffer.concat([Buffer.from('42'), bytes]))));
});

test('what a client says of itself, its session, its offset and its user is read as that, or as nothing', () => {
  const auth = fc.record({ $io: messageWith(['v', 'owner', 'history']) }, { requiredKeys: [] });
  holds(
    fc.property(fc.oneof(auth, fc.anything()), auth => {
      const hello = helloOf({ handshake: { auth } as never }); // from a client, of any type
      if (hello?.owner !== undefined) assert.match(hello.owner, /^[\w-]{20,64}$/);
    }),
  );
  holds(
    fc.property(fc.oneof(fc.string(), fc.webQueryParameters()), fc.string(), (query, id) => {
      const owner = ownerNamedBy({ url: `/socket.io/?${query}&sid=${id}` } as IncomingMessage);
      assert.ok(owner === undefined || /^[1-9]\d{0,8}$/.test(owner));
    }),
  );
  holds(
    fc.property(fc.anything(), value => {
      const offset = offsets.asOffset(value);
      assert.ok(offset === undefined || (offset === value && offset.length <= 26));
    }),
  );
  holds(
    fc.property(fc.anything(), value => {
      const id = unless(TypeError, () => userIdOf(value));
      assert.ok(id === undefined || (id.length > 0 && id.length <= 200));
    }),
  );
});

test('what a request says of its address, its host and its origin is read as that, or as nothing', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string());
  holds(
    fc.property(
      fc.oneof(
        address,
        fc.tuple(address, fc.nat()).map(([ip, port]) => `[${ip}]:${port}`),
      ),
      text => {
        assert.match(countedAs(text) ?? '192.0.2.1', /^(\d{1,3}(\.\d{1,3}){3}|[\da-f]{1,4}(:[\da-f]{1,4}){3})$/);
      },
    ),
  );
  const host = fc.oneof(
    fc.domain(),
    fc.ipV6().map(ip => `[${ip}]:80`),
    fc.string(),
  );
  const origin = fc.oneof(fc.webUrl(), fc.constant('null'), fc.string());
  holds(
    fc.property(host, host, origin, (host, forwarded, origin) => {
      const request = { headers: { host, 'x-forwarded-host': forwarded } } as unknown as IncomingMessage; // all that is read
      const { host: named } = hosts.hostOf(request, { proxy: true });
      assert.equal(named, named.trim());
      const isSame = hosts.isNameOf(named, origin);
      if (isSame) assert.equal(new URL(origin).hostname, new URL(`http://${named}`).hostname);
      assert.equal(typeof hosts.isInternal(named), 'boolean');
    }),
  );
});

test('frames of the hub come out as they went in, however they are cut, and no other bytes keep more than one frame', () => {
  const contents = fc.array(fc.tuple(fc.nat(3), fc.string()), { maxLength: 8 });
  holds(
    fc.property(contents, CUTS, (contents, cuts) => {
      const frames = contents.map(([to, name]) => controlFrame(to, { name }).bytes).flat();
      const reader = new FrameReader();
      const read: unknown[] = [];
      for (const piece of split(Buffer.concat(frames), cuts))
        for (const run of reader.read(piece))
          eachFrame(run, (_from, content) => read.push([run.to, (JSON.parse(String(content)) as { name: string }).name]));
      assert.deepEqual(read, contents);
    }),
  );
  holds(
    fc.property(BYTES, CUTS, (bytes, cuts) => {
      const reader = new FrameReader();
      let size = 0;
      unless(RangeError, () => {
        for (const piece of split(bytes, cuts)) for (const run of reader.read(piece)) size += run.size;
      });
      assert.ok(size <= bytes.length && size <= HEADER + MAX_FRAME);
    }),
  );
});

test('messages between workers come out as they went in, and others are no messages', () => {
  const part = fc.oneof(fc.string({ unit: 'grapheme' }), BYTES);
  holds(
    fc.property(fc.jsonValue(), fc.array(part, { maxLength: 5 }), (head, parts) => {
      const message = new hubMessages.Message({ head }, parts);
      const buffer = Buffer.alloc(message.size);
      message.writeTo(buffer, 0);
      const { head: readHead, parts: readParts } = hubMessages.readMessage(buffer);
      assert.deepEqual([readHead, readParts], [JSON.parse(JSON.stringify({ head })), parts]);
    }),
  );
  const head = messageWith(['type', 'id', 'nsp', 'rooms', 'except', 'flags', 'names', 'close', 'room', 'position']);
  holds(
    fc.property(
      fc.oneof(
        BYTES,
        head.map(head => bytesOf(head)),
      ),
      content => {
        const request = unless(InvalidMessage, () => readHubRequest(content));
        if (request) assert.ok(request.head.type === 'reply' || typeof request.head.nsp === 'string');
      },
    ),
  );
  holds(
    fc.property(fc.array(fc.jsonValue()), values =>
      assert.deepEqual(hubMessages.decodeValues(hubMessages.encodeValues(values)), JSON.parse(JSON.stringify(values))),
    ),
  );
});

/** A message of workers that has only a head. */
function bytesOf(head: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(head) ?? '');
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(json.length, 4);
  return Buffer.concat([bytes, json]);
}

test('frames of a link come out as they went in, however they are cut', () => {
  holds(
    fc.property(fc.array(fc.tuple(fc.nat(255), fc.nat(0xffff_ffff), BYTES), { maxLength: 6 }), CUTS, (frames, cuts) => {
      const read: unknown[] = [];
      const link = new Link(new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() }), (...frame) => read.push(frame));
      const bytes = frames.map(([kind, id, content]) => {
        const header = Buffer.alloc(9);
        header.writeUInt32LE(content.length, 0);
        header.writeUInt32LE(id, 4);
        header[8] = kind;
        return Buffer.concat([header, content]);
      });
      for (const piece of split(Buffer.concat(bytes), cuts)) link.read(piece);
      assert.deepEqual(read, frames);
    }),
  );
});

test('the head of a passed request comes out as it went in, with the headers as Node shows them', () => {
  const text = fc.stringMatching(/^[!-~]{1,12}$/);
  const name = fc.oneof(
    text,
    fc.constantFrom('Cookie', 'Set-Cookie', 'Host', 'X-Forwarded-For', 'constructor', '__proto__', 'toString', 'Age'),
  );
  holds(
    fc.property(fc.array(fc.tuple(name, text), { maxLength: 6 }), text, fc.boolean(), (headers, url, hasBody) => {
      const rawHeaders = headers.flat();
      const peer = { address: '::1', port: 1, isSecure: true };
      const head = decodeHead(Buffer.from(encodeHead({ method: 'GET', url, rawHeaders } as IncomingMessage, peer, hasBody), 'latin1'));
      assert.deepEqual(head, { method: 'GET', url, hasBody, rawHeaders, ...peer });
      const message = new IncomingMessage(undefined as unknown as TcpSocket); // has none
      const add = Reflect.get(message, '_addHeaderLines') as (headers: string[], count: number) => void; // of Node, what its parser calls
      add.call(message, rawHeaders, rawHeaders.length);
      assert.deepEqual({ ...headersOf(rawHeaders) }, { ...message.headers });
    }),
    [[[['constructor', 'x']], '/', false]],
  );
  holds(fc.property(BYTES, content => void headersOf(decodeHead(content).rawHeaders)));
});

test('the answer to a passed request is read alike, however it is cut', () => {
  const body = fc.array(BYTES, { maxLength: 4 });
  holds(
    fc.property(fc.constantFrom('length', 'chunked'), fc.integer({ min: 200, max: 599 }), body, CUTS, (framing, status, parts, cuts) => {
      const all = Buffer.concat(parts);
      const head = `HTTP/1.1 ${status} Text\r\nX: y\r\n${framing === 'length' ? `Content-Length: ${all.length}` : 'Transfer-Encoding: chunked'}\r\n\r\n`;
      const chunks = parts
        .filter(({ length }) => length > 0)
        .flatMap(part => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
      const bytes = Buffer.concat([Buffer.from(head), ...(framing === 'length' ? [all] : [...chunks, Buffer.from('0\r\n\r\n')])]);
      const heard: Buffer[] = [];
      let [heads, ends] = [0, 0];
      const reader = new AnswerReader('POST', {
        onHead: given => {
          heads++;
          assert.equal(given, status);
        },
        onBody: part => heard.push(part),
        onEnd: last => {
          ends++;
          if (last) heard.push(last);
        },
        onInvalid: () => assert.fail('it is valid'),
      });
      for (const piece of split(bytes, cuts)) if (ends === 0) reader.read(piece);
      const hasBody = status !== 204 && status !== 304;
      assert.deepEqual([heads, ends, Buffer.concat(heard).toString('hex')], [1, 1, hasBody ? all.toString('hex') : '']);
    }),
  );
});

test('what comes from a backend is a message of its form, or an InvalidMessage', () => {
  const message = messageWith([
    'type',
    'uid',
    'requestId',
    'opts',
    'rooms',
    'room',
    'sid',
    'packet',
    'data',
    'sockets',
    'encoded',
    'clientCount',
    'close',
    'nsp',
  ]);
  const { isRequest, isResponse, openRequest, openResponse, readBroadcast } = pubsubMessages;
  holds(
    fc.property(message, value => {
      assert.equal(typeof isRequest(unless(InvalidMessage, () => openRequest(value, codec))), 'boolean');
      assert.equal(typeof isResponse(unless(InvalidMessage, () => openResponse(value, codec))), 'boolean');
      assert.equal(typeof clusterMessages.isClusterMessage(value), 'boolean');
      const text = JSON.stringify(value) ?? '';
      const parsed = unless(InvalidMessage, () => postgresMessages.parse(text));
      assert.ok(parsed === undefined || typeof parsed === 'object');
      presenceMessages.readMessage(text);
    }),
  );
  holds(
    fc.property(fc.array(message, { maxLength: 4 }), value => {
      const broadcast = unless(InvalidMessage, () => readBroadcast(value, codec));
      assert.ok(broadcast === undefined || Array.isArray(broadcast));
    }),
  );
  holds(
    fc.property(
      fc.array(fc.oneof(fc.string(), BYTES, fc.constantFrom('2["x"]', '20["x"]', '51-["x",{"_placeholder":true,"num":0}]'))),
      frames => void unless(InvalidMessage, () => codec.read(frames)),
    ),
  );
});

test('presence takes a message as it was written, and nothing else', () => {
  const change = fc.tuple(fc.string(), fc.string(), fc.string(), fc.nat(), fc.option(fc.json()), fc.nat());
  holds(
    fc.property(fc.string(), fc.nat(), fc.array(change), (from, version, changes) => {
      const message = { from, version, type: 'changes', changes };
      assert.deepEqual(presenceMessages.readMessage(JSON.stringify(message)), JSON.parse(JSON.stringify(message)));
    }),
  );
  holds(fc.property(fc.anything(), value => void presenceMessages.readMessage(value)));
});

test('entries of a stream in Redis come out as they went in', () => {
  const { entryOf, epochOf, fieldsOf, idOf, newId, offsetOf } = redisEntries;
  holds(
    fc.property(
      fc.nat(2 ** 41),
      fc.integer({ min: 1, max: 2 ** 24 - 1 }),
      fc.array(fc.oneof(fc.string(), BYTES)),
      (now, offset, content) => {
        const epoch = epochOf(newId(now));
        const id = idOf(epoch, offset);
        assert.deepEqual([epochOf(id), offsetOf(id)], [epoch, offset]);
        const fields = fieldsOf(content).map(field => Buffer.from(field));
        assert.deepEqual(entryOf(Buffer.from(id), fields).content.map(String), content.map(String));
      },
    ),
  );
});

test('what a process hands over is inherited as it was, and no other text throws', () => {
  const frame = fc.oneof(fc.string(), BYTES);
  const event = { offset: fc.string(), frames: fc.option(fc.array(frame), { nil: undefined }) };
  const rooms = fc.uniqueArray(fc.string());
  const entry = fc.record({ ...event, at: fc.nat(), opts: fc.record({ rooms: rooms.map(toSet), except: rooms.map(toSet) }, PLAIN) }, PLAIN);
  const stay = fc.record({ room: fc.string(), from: fc.nat(), until: fc.nat() }, PLAIN);
  const session = fc.record(
    {
      sid: fc.string(),
      pid: fc.stringMatching(/^[\w-]{20}$/),
      rooms,
      data: fc.oneof(fc.jsonValue(), fc.record({ bytes: BYTES }, PLAIN)).map(asDecoded),
      goneAt: fc.nat(),
      start: fc.record(
        { at: fc.nat(), from: fc.nat(), sent: fc.uniqueArray(fc.record(event, PLAIN), { selector: ({ offset }) => offset }) },
        PLAIN,
      ),
      stays: fc.record(
        { joined: rooms.map(names => names.map(name => [name, 1] as const)), ended: fc.array(stay), forgotten: fc.nat() },
        PLAIN,
      ),
    },
    PLAIN,
  );
  const entries = fc.uniqueArray(entry, { selector: ({ offset }) => offset, maxLength: 5 });
  const logger = { error: (line: string): void => assert.fail(line) } as unknown as ConstructorParameters<typeof Answers>[0]; // uses no more of it
  holds(
    fc.property(
      fc.nat(),
      fc.nat(),
      entries,
      session,
      fc.tuple(fc.nat(), fc.string()),
      (base, number, entries, { stays, ...rest }, change) => {
        const bequests = [{ past: { base, gap: { number, at: -Infinity }, entries }, sessions: [{ ...rest, stays: new Stays(stays) }] }];
        const text = handoverTexts.write(bequests, codec, new Answers(logger));
        const [inherited] = handoverTexts.read(text, codec) ?? [];
        assert.deepEqual(inherited?.past, bequests[0]?.past);
        assert.deepEqual(
          inherited?.sessions.map(({ stays, ...session }) => ({ ...session, stays: stays.toJSON() })),
          [{ ...rest, stays }],
        );
        const at = change[0] % text.length;
        const other = handoverTexts.read(text.slice(0, at) + change[1] + text.slice(at + 1), codec) ?? [];
        for (const { past, sessions } of other)
          for (const { frames } of [...past.entries, ...sessions.flatMap(({ start }) => start.sent)]) frames?.forEach(isFrame);
      },
    ),
  );
});

function isFrame(frame: unknown): void {
  assert.ok(typeof frame === 'string' || Buffer.isBuffer(frame));
}

function toSet(names: string[]): Set<string> {
  return new Set(names);
}

test('the outcome of a handler that is kept comes out as it went in, bytes and all', () => {
  const value = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 3 },
      BYTES,
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie('value')),
      fc.dictionary(fc.string(), tie('value')),
    ),
  })).value;
  holds(
    fc.property(fc.array(value, { maxLength: 3 }), answer => {
      assert.deepEqual(decodeOutcome(encodeOutcome({ answer })), { answer: asDecoded(answer) });
    }),
  );
});

/** Values as JSON leaves them, but for bytes. */
function asDecoded(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  if (Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return value.map(asDecoded);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asDecoded(item)]));
}
