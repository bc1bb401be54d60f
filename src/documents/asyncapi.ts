/** An AsyncAPI 3 document of the contracts. Its schemas are JSON Schema, draft 7, which each reader of AsyncAPI 3 has to know. */
import type { Description, EventDescription, NamespaceDescription, ValueDescription } from './description';
import type { JsonSchema } from './libraries/converter';
import { mapSchemas } from './walk';

const SCHEMA_FORMAT = 'application/schema+json;version=draft-07';

const EXPLANATION = `The events of this app's Socket.IO server. A channel is a namespace of Socket.IO, and a message is an event: its name is that of the event, and its payload is an array of the arguments, without the name and without the acknowledgement function. An argument that is undefined arrives as null. Bytes travel as binary attachments of Socket.IO, not as JSON. The reply to an event is its acknowledgement: a single value, or an object with an error.`;

const ERROR_REPLY: JsonSchema = {
  description: 'The acknowledgement of an event that failed.',
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string', description: 'For example INVALID_ARGUMENT, if the arguments do not fit.' },
        message: { type: 'string' },
        details: { description: 'For INVALID_ARGUMENT: an array of { path, message }. A path begins with the index of the argument.' },
      },
      required: ['code', 'message'],
    },
  },
  required: ['error'],
  additionalProperties: false,
};

/** The event of this plugin for a client that did not ask for an acknowledgement. */
const ERROR_EVENT: JsonSchema = {
  type: 'array',
  items: [
    { type: 'string', description: 'The message.' },
    { type: 'object', properties: { code: { type: 'string' }, event: { type: 'string' } }, required: ['code', 'event'] },
  ],
  minItems: 2,
  additionalItems: false,
};

/** Messages and operations of one channel, by name. */
interface Parts {
  readonly messages: Record<string, object>;
  readonly operations: Record<string, object>;
}

/** Returns the document, as plain data. */
export function toAsyncApi({ app, namespaces }: Description): object {
  const channels = new Map<string, object>(); // a namespace may have the name of a member of Object
  const operations: Record<string, object> = {};
  const takeId = uniqueIds();
  const takeOperationId = uniqueIds();
  for (const namespace of namespaces) {
    const id = takeId(namespace.name.replaceAll(/^\/|[{}]/g, '') || 'root');
    const parts = partsOf(namespace, id, takeOperationId);
    const parameters = Object.fromEntries([...namespace.name.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, {}]));
    channels.set(id, {
      address: namespace.name,
      title: `Namespace ${namespace.name}`,
      ...(Object.keys(parameters).length > 0 && { parameters }),
      messages: parts.messages,
    });
    Object.assign(operations, parts.operations);
  }
  return {
    asyncapi: '3.0.0',
    info: { title: app.name, version: app.version, description: EXPLANATION },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels),
    operations,
    components: { schemas: { ErrorReply: { schemaFormat: SCHEMA_FORMAT, schema: ERROR_REPLY } } },
  };
}

function partsOf({ client, server }: NamespaceDescription, channelId: string, takeOperationId: (name: string) => string): Parts {
  const channel = `#/channels/${channelId}`;
  const messages: Parts['messages'] = {};
  const operations: Parts['operations'] = {};
  const takeId = uniqueIds();
  const refer = (id: string): object[] => [{ $ref: `${channel}/messages/${id}` }];
  const add = (action: 'receive' | 'send', id: string, name: string, message: object, reply?: object): void => {
    messages[id] = { name, ...message };
    operations[takeOperationId(`${channelId}.${id}`)] = {
      action,
      channel: { $ref: channel },
      messages: refer(id),
      ...(reply && { reply }),
    };
  };
  const addReply = (event: string, id: string, ack: ValueDescription): object => {
    messages[id] = { name: `${event} (acknowledgement)`, payload: replyOf(ack, payloadOf(channel, id)) };
    return { channel: { $ref: channel }, messages: refer(id) };
  };
  for (const event of client) {
    const id = takeId(`client.${event.name}`);
    const reply = event.ack && addReply(event.name, takeId(`${id}.reply`), event.ack);
    add('receive', id, event.name, messageOf(event, payloadOf(channel, id)), reply);
  }
  for (const event of server) {
    const id = takeId(`server.${event.name}`);
    add('send', id, event.name, messageOf(event, payloadOf(channel, id)));
  }
  const summary = 'An event of a client has failed which did not ask for an acknowledgement.';
  if (client.length > 0) add('send', 'server.error', 'error', { summary, payload: inFormat(ERROR_EVENT) });
  return { messages, operations };
}

function messageOf(event: EventDescription, place: string): object {
  const { args, required } = event;
  const items = args.map((arg, index) => embed(arg, `${place}/items/${index}`));
  const payload = inFormat({
    type: 'array',
    ...(items.length > 0 ? { items, minItems: required, additionalItems: false } : { maxItems: 0 }),
  });
  const examples = examplesOf(event).map(example => ({ payload: example }));
  return { payload, ...(examples.length > 0 && { examples }) };
}

function replyOf(ack: ValueDescription, place: string): object {
  const value = embed(ack, `${place}/anyOf/0`);
  return inFormat({ anyOf: [value, { $ref: '#/components/schemas/ErrorReply/schema' }] });
}

/** Lists of arguments, as far as the contract has examples of them. */
function examplesOf({ args, required }: EventDescription): unknown[][] {
  const firstWithout = args.findIndex(({ examples }) => examples.length === 0);
  const known = firstWithout === -1 ? args : args.slice(0, firstWithout);
  if (known.length === 0 || known.length < required) return [];
  const count = Math.max(...known.map(({ examples }) => examples.length));
  return Array.from({ length: count }, (_, index) => known.map(({ examples }) => examples[index % examples.length]));
}

function inFormat(schema: JsonSchema): object {
  return { schemaFormat: SCHEMA_FORMAT, schema };
}

function payloadOf(channel: string, messageId: string): string {
  return `${channel}/messages/${messageId}/payload/schema`;
}

/** The schema of a value, to be put in a place of the document. */
function embed({ schema, orNull }: ValueDescription, place: string): JsonSchema {
  return orNull ? { anyOf: [move(schema, `${place}/anyOf/0`), { type: 'null' }] } : move(schema, place);
}

/** The same schema, whose references begin at the document instead of at the schema. */
function move(schema: JsonSchema, place: string): JsonSchema {
  return mapSchemas(schema, part => {
    const { $ref } = part;
    return typeof $ref === 'string' && $ref.startsWith('#') ? { ...part, $ref: place + $ref.slice(1) } : part;
  }) as JsonSchema; // as it is one
}

/** Makes names that every reference can contain, and no two that are the same. */
function uniqueIds(): (name: string) => string {
  const taken = new Set<string>();
  return name => {
    const plain = name.replaceAll(/[^\w.-]/gu, character => `_${character.codePointAt(0)?.toString(16)}`);
    let id = plain;
    for (let count = 2; taken.has(id); count++) id = `${plain}_${count}`;
    taken.add(id);
    return id;
  };
}
