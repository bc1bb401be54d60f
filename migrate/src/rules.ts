/** What an app of egg-socket.io 4.1.6 may have in its source that is otherwise now: one row, one idiom. */
import type { Function as FunctionNode, Node } from '@babel/types';
import { bare, type Call, callOf, isClient, type Member, memberOf, type Thing, type Variables } from './things';
import { type Step, walk } from './walk';

/**
 * - `breaks`: fails, or does something else
 * - `deprecated`: goes on, with a line in the log
 * - `look`: goes on, but for a case that the source does not show
 */
export type Effect = 'breaks' | 'deprecated' | 'look';

/** A node, and what a rule may want to know of where it is. */
interface Place extends Step {
  /** Of the file, below the app's folder, with slashes. */
  path: string;
  variables: Variables;
}

export interface Rule {
  matches(place: Place): boolean;
  /** What to write instead, or to do. */
  advice: string;
  effect: Effect;
  /** Where the guide has it. */
  anchor: string;
}

const DIFFERENT = 'what-is-different-on-purpose';
const STILL_WORKS = 'calls-that-still-work';
const IN_CLIENTS = 'in-clients';

/** `app.io` is the namespace `/` as well. */
const NAMESPACES: readonly Thing[] = ['server', 'namespace'];
const EMITTERS: readonly Thing[] = [...NAMESPACES, 'room', 'socket'];
/** The old shorthands on the context are the client's. */
const CLIENTS: readonly Thing[] = ['socket', 'context'];

export const RULES: readonly Rule[] = [
  // middleware and controllers
  {
    matches: awaitsWithoutCalling,
    advice: 'write await next(): without parentheses nothing is called, and the client is refused, or its packet dropped',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: passesError,
    advice:
      'look whether the client is to be refused, or the packet to fail: an error that next() gets counts as thrown, and was ignored before',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: returnsEarly,
    advice:
      'call next() if the client is to be let in: connection middleware that returns without it refuses (packet middleware drops the packet, as before)',
    effect: 'look',
    anchor: DIFFERENT,
  },
  {
    matches: emitsBeforeRefusing,
    advice: 'throw an error with the reason: what is emitted to a client that connection middleware refuses does not arrive',
    effect: 'look',
    anchor: DIFFERENT,
  },
  {
    matches: ({ node, path }) => isOfIo(path) && isFunction(node) && Boolean(node.generator),
    advice: 'make it an async function: egg 4 runs no generators (egg 3 does)',
    effect: 'look',
    anchor: DIFFERENT,
  },
  {
    matches: returnsEmit,
    advice:
      "do not return it, or set config.io.acknowledge to 'callback': a returned value is the acknowledgement, and emit() returns true",
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => reads(place, ['request'], 'args'),
    advice: 'write ctx.args',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => reads(place, ['request'], 'socket') && (isOfIo(place.path) || isOfSocket(place)),
    advice: 'write ctx.socket: the socket of the request is the TCP connection',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: readsContextOfPacket,
    advice: 'write ctx: ctx.packet is [event, ...args], and ends with the acknowledgement function if the client asked for one',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => textOf(place.node)?.includes('controller execute error') === true,
    advice: 'look at the code of the error: there is no such prefix any more, and the message of a bug stays on the server in production',
    effect: 'breaks',
    anchor: DIFFERENT,
  },

  // config
  {
    matches: place => sets(place, 'origins', ['init']) !== undefined,
    advice: "write init: { cors: { origin: ['https://example.com'] } }",
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => textOf(sets(place, 'wsEngine')) === 'uws',
    advice: 'leave it out, or install its maintained fork: npm i eiows',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => (sets(place, 'pubClient', ['redis']) ?? sets(place, 'subClient', ['redis'])) !== undefined,
    advice: 'give host and port: the plugin makes its own clients',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => {
      const value = sets(place, 'db', ['io', 'redis']);
      return value?.type === 'NumericLiteral' && value.value !== 0;
    },
    advice: 'leave it out if other programs emit through this Redis: it changes the names of the channels',
    effect: 'look',
    anchor: DIFFERENT,
  },

  // packages
  {
    matches: place => ['socketio-wildcard', 'socket.io-wildcard'].includes(importedBy(place) ?? '') || replacesOnevent(place),
    advice: 'use packet middleware, or socket.onAny(): where socket.onevent is replaced, routes are not reached',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => ['socket.io-redis', 'uws'].includes(importedBy(place) ?? ''),
    advice: 'remove it: Socket.IO 4 does not take it; Redis is config.io.redis, the engine is ws',
    effect: 'breaks',
    anchor: 'check-list',
  },
  {
    matches: ({ node, path, parents }) =>
      path.endsWith('package.json') &&
      /^(?:uws|socket\.io-redis|socket\.io|socketio-wildcard)$/.test(keyOf(node) ?? '') &&
      keysAround(parents).includes('dependencies'),
    advice: 'remove it, unless something else needs it: the plugin has what it needs',
    effect: 'look',
    anchor: 'check-list',
  },

  // calls of Socket.IO 2
  {
    matches: place => calls(place, ['adapter'], 'clients') !== undefined,
    advice: 'write await nsp.in(rooms).fetchSockets(), or await nsp.fetchSockets() for all',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, [...NAMESPACES, 'room'], 'clients') !== undefined,
    advice: 'write await nsp.fetchSockets(), await nsp.in(room).fetchSockets()',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, ['adapter'], 'clientRooms') !== undefined,
    advice: 'write (await nsp.in(id).fetchSockets())[0]?.rooms',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, ['adapter'], 'allRooms') !== undefined,
    advice: 'take the rooms of await nsp.fetchSockets()',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, ['adapter'], 'remoteJoin') !== undefined,
    advice: 'write nsp.in(id).socketsJoin(room)',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, ['adapter'], 'remoteLeave') !== undefined,
    advice: 'write nsp.in(id).socketsLeave(room)',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, ['adapter'], 'remoteDisconnect') !== undefined,
    advice: 'write nsp.in(id).disconnectSockets(close)',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => reads(place, [...NAMESPACES, 'room'], 'connected'),
    advice: 'write nsp.sockets.get(id), nsp.sockets.size, nsp.sockets.keys()',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => reads(place, ['room'], 'sockets'),
    advice:
      'write nsp.sockets.get(id): a room has no sockets of its own, nor had it any in Socket.IO 2, where to(room) returned the namespace',
    effect: 'breaks',
    anchor: STILL_WORKS,
  },
  {
    matches: place => readsByKey(place, 'sockets'),
    advice: 'write nsp.sockets.get(id), nsp.sockets.size, nsp.sockets.keys(): it is a Map',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => readsByKey(place, 'rooms of an adapter'),
    advice: 'write adapter.rooms.get(room)?.size, adapter.rooms.keys(): it is a Map of Sets',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => readsByKey(place, 'sids'),
    advice: 'write adapter.sids.get(id): it is a Map of Sets',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => readsByKey(place, 'rooms of a socket'),
    advice: 'write socket.rooms.has(room), [...socket.rooms]: it is a Set',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => (calls(place, CLIENTS, 'join') ?? calls(place, CLIENTS, 'leave'))?.arguments.length === 2,
    advice: 'write await socket.join(room), await socket.leave(room)',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => {
      const [room] = calls(place, CLIENTS, 'join')?.arguments ?? [];
      return room !== undefined && isNumber(room);
    },
    advice: "write socket.join(String(id)): join(42) and to('42') are two rooms since Socket.IO 3",
    effect: 'look',
    anchor: DIFFERENT,
  },
  {
    matches: place => reads(place, ['server'], 'controllers') || reads(place, ['server'], 'middlewares'),
    advice: 'write app.io.controller, app.io.middleware',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => reads(place, EMITTERS, 'json'),
    advice: 'leave json out: everything is JSON unless it is binary',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => calls(place, ['socket'], 'error') !== undefined,
    advice: "write socket.emit('error', message)",
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => reads(place, ['server'], 'nsps'),
    advice: 'write io.of(name)',
    effect: 'deprecated',
    anchor: STILL_WORKS,
  },
  {
    matches: place => (calls(place, ['server'], 'origins') ?? calls(place, ['server'], 'set')) !== undefined,
    advice: 'use config.io.init, and for origins config.io.init.cors.origin',
    effect: 'breaks',
    anchor: STILL_WORKS,
  },
  {
    matches: place => reads(place, ['adapter'], 'customRequest') || reads(place, ['adapter'], 'customHook'),
    advice: 'write await nsp.serverSideEmitWithAck(event, data) and nsp.on(event, (data, answer) => ...)',
    effect: 'breaks',
    anchor: STILL_WORKS,
  },
  {
    matches: place => {
      const member = memberAt(place.node);
      return member !== undefined && calls({ ...place, node: bare(member.object) }, EMITTERS, 'emit') !== undefined;
    },
    advice: 'write two statements: emit() returns true',
    effect: 'breaks',
    anchor: DIFFERENT,
  },

  // clients
  {
    matches: place => (sets(place, 'forceJSONP') ?? (isOfConfig(place.path) ? undefined : sets(place, 'jsonp'))) !== undefined,
    advice: 'leave it out: JSONP is refused',
    effect: 'breaks',
    anchor: DIFFERENT,
  },
  {
    matches: place => {
      const call = calls(place, undefined, 'connect');
      const client = call && memberOf(call.callee)?.object;
      return client?.type === 'Identifier' && client.name === 'io';
    },
    advice: 'write io(url), when the client is updated to 4',
    effect: 'look',
    anchor: IN_CLIENTS,
  },
  {
    matches: place => listensTo(place, /^(?:reconnect(?:ing|_attempt|_error|_failed)?|connect_timeout)$/),
    advice: "write socket.io.on('reconnect', ...), when the client is updated to 4",
    effect: 'look',
    anchor: IN_CLIENTS,
  },
  {
    matches: place => listensTo(place, /^error$/),
    advice: "write socket.on('connect_error', error => error.message) for a refusal, when the client is updated to 4",
    effect: 'look',
    anchor: IN_CLIENTS,
  },
];

/** Not of what is inside of a cast or an `await`, which comes by itself. */
function memberAt(node: Node): Member | undefined {
  return bare(node) === node ? memberOf(node) : undefined;
}

function callAt(node: Node): Call | undefined {
  return bare(node) === node ? callOf(node) : undefined;
}

function isOneOf(things: readonly Thing[], { variables }: Place, node: Node): boolean {
  const thing = variables.thing(node);
  return thing !== undefined && things.includes(thing);
}

/** Whether it reads this member of one of these, or takes it out of one: `const { name } = owner`. */
function reads(place: Place, owners: readonly Thing[], name: string): boolean {
  const { node, parents } = place;
  const member = memberAt(node);
  if (member) return member.name === name && isOneOf(owners, place, member.object);
  const declaration = parents.at(-2);
  if (node.type !== 'ObjectProperty' || keyOf(node) !== name || declaration?.type !== 'VariableDeclarator') return false;
  return declaration.id === parents.at(-1) && isOneOf(owners, place, declaration.init ?? declaration.id);
}

/** The call, if it is one of a method of this name, of one of these. */
function calls(place: Place, owners: readonly Thing[] | undefined, name: string): Call | undefined {
  const call = callAt(place.node);
  const method = call && memberOf(call.callee);
  return method?.name === name && (!owners || isOneOf(owners, place, method.object)) ? call : undefined;
}

/** `table[key]`, `Object.keys(table)`, `for (key in table)`: as of an object, which it was. */
function readsByKey({ node, variables }: Place, table: Thing): boolean {
  if (node.type === 'ForInStatement') return variables.thing(node.right) === table;
  const member = memberAt(node);
  if (member) return member.name === undefined && variables.thing(member.object) === table;
  const call = callAt(node);
  const method = call && memberOf(call.callee);
  const [argument] = call?.arguments ?? [];
  if (!argument || method?.object.type !== 'Identifier' || method.object.name !== 'Object') return false;
  return /^(?:keys|values|entries)$/.test(method.name ?? '') && variables.thing(argument) === table;
}

/** The value, if it gives one to this key, within these. */
function sets({ node, parents }: Place, key: string, around: readonly string[] = []): Node | undefined {
  if (keyOf(node) !== key) return undefined;
  const keys = [...keysAround(parents), ...(node.type === 'AssignmentExpression' ? namesOf(node.left) : [])];
  if (!around.every(name => keys.includes(name))) return undefined;
  if (node.type === 'ObjectProperty') return node.value;
  return node.type === 'AssignmentExpression' ? node.right : node;
}

function keyOf(node: Node): string | undefined {
  if (node.type === 'ObjectProperty' || node.type === 'ObjectMethod') {
    if (node.key.type === 'Identifier' && !node.computed) return node.key.name;
    return node.key.type === 'StringLiteral' ? node.key.value : undefined;
  }
  if (node.type === 'AssignmentExpression') return memberOf(node.left)?.name;
  return undefined;
}

/** What the objects around it are the values of. */
function keysAround(parents: readonly Node[]): string[] {
  return parents.flatMap(parent => {
    if (parent.type === 'VariableDeclarator') return namesOf(parent.id);
    if (parent.type === 'AssignmentExpression') return namesOf(parent.left);
    return keyOf(parent) ?? [];
  });
}

/** `config.io.init` is io, and init. */
function namesOf(target: Node): string[] {
  if (target.type === 'Identifier') return [target.name];
  const member = memberOf(target);
  return member ? [...namesOf(member.object), member.name ?? ''] : [];
}

function importedBy({ node }: Place): string | undefined {
  if (node.type === 'ImportDeclaration') return node.source.value;
  const call = callOf(node);
  const [name] = call?.arguments ?? [];
  return call?.callee.type === 'Identifier' && call.callee.name === 'require' ? textOf(name) : undefined;
}

function textOf(node: Node | undefined): string | undefined {
  if (node?.type === 'StringLiteral') return node.value;
  return node?.type === 'TemplateElement' ? node.value.raw : undefined;
}

function replacesOnevent({ node }: Place): boolean {
  return node.type === 'AssignmentExpression' && memberOf(node.left)?.name === 'onevent';
}

function isNumber(node: Node): boolean {
  if (node.type === 'NumericLiteral' || (node.type === 'UnaryExpression' && node.operator === '+')) return true;
  const call = callOf(node);
  return call?.callee.type === 'Identifier' && /^(?:Number|parseInt)$/.test(call.callee.name);
}

/** A client, in a file that has the official one. */
function listensTo(place: Place, events: RegExp): boolean {
  const call = calls(place, undefined, 'on') ?? calls(place, undefined, 'once');
  const [event] = call?.arguments ?? [];
  if (!call || !events.test(textOf(event) ?? '')) return false;
  if (memberOf(memberOf(call.callee)?.object ?? call)?.name === 'io') return false; // the manager's
  const [program] = place.parents;
  return program?.type === 'Program' && program.body.some(statement => importsClient(statement));
}

function importsClient(statement: Node): boolean {
  if (statement.type === 'ImportDeclaration') return isClient(statement.source.value);
  if (statement.type !== 'VariableDeclaration') return false;
  return statement.declarations.some(({ init }) => {
    const value = init && (memberOf(init)?.object ?? init);
    return value ? isClient(importedBy({ node: value } as Place) ?? '') : false; // it looks at the node alone
  });
}

/** Where `jsonp` is an option of Egg's own. */
function isOfConfig(path: string): boolean {
  return /(?:^|\/)config\//.test(path);
}

/** `await next`, of a function that gets it after the context. */
function awaitsWithoutCalling({ node, parents }: Place): boolean {
  if (node.type !== 'AwaitExpression' || node.argument.type !== 'Identifier' || node.argument.name !== 'next') return false;
  const owner = parents.findLast(isFunction);
  return owner !== undefined && hasNext(owner);
}

/** `next(new Error('go away'))` in middleware. What may be no error, such as a variable of another name, is passed over. */
function passesError({ node, path }: Place): boolean {
  if (!isMiddleware(path) || node.type !== 'CallExpression' || node.callee.type !== 'Identifier' || node.callee.name !== 'next')
    return false;
  const [argument] = node.arguments;
  return argument?.type === 'NewExpression' || (argument?.type === 'Identifier' && /^e(?:rr(?:or)?)?$/i.test(argument.name));
}

/** app/io, of the app or of a plugin in it. */
function isOfIo(path: string): boolean {
  return /(?:^|\/)app\/io\//.test(path);
}

/** `socket.request.socket` */
function isOfSocket({ node, variables }: Place): boolean {
  const request = memberOf(memberOf(node)?.object ?? node);
  return request?.name === 'request' && variables.thing(request.object) === 'socket';
}

/** In a controller, which answers with what it returns. */
function returnsEmit(place: Place): boolean {
  const { node, parents, path } = place;
  if (!/(?:^|\/)app\/io\/controller\//.test(path)) return false;
  const value = returnedBy(node);
  const call = value && callOf(value);
  const method = call && memberOf(call.callee);
  if (!method || !/^(?:emit|send|write)$/.test(method.name ?? '') || !isOneOf([...EMITTERS, 'context'], place, method.object)) return false;
  // what is given to a call, as that of forEach, answers nobody
  const around = [...parents, node];
  const index = around.findLastIndex(isFunction);
  return !callOf(around[index - 1] ?? node);
}

function returnedBy(node: Node): Node | null | undefined {
  if (node.type === 'ReturnStatement') return node.argument;
  return node.type === 'ArrowFunctionExpression' && node.body.type !== 'BlockStatement' ? node.body : undefined;
}

/** Middleware that never calls next(), or a return in it that comes before; not one after disconnect(), which refuses on purpose. */
function returnsEarly(place: Place): boolean {
  const { node, parents, path } = place;
  if (!isMiddleware(path)) return false;
  if (isFunction(node)) return hasNext(node) && firstNext(node) === undefined;
  if (node.type !== 'ReturnStatement' || [node, ...statementsOf(parents.at(-1))].some(statement => disconnects(place, statement)))
    return false;
  const owner = parents.findLast(isFunction);
  const first = owner && hasNext(owner) ? firstNext(owner) : undefined;
  return first !== undefined && Number(node.end) < first;
}

/** `ctx.socket.emit('error', 'go away'); ctx.socket.disconnect();` */
function emitsBeforeRefusing(place: Place): boolean {
  if (!isMiddleware(place.path) || !calls(place, CLIENTS, 'emit')) return false;
  const statements = statementsOf(place.parents.at(-2));
  const later = statements.slice(statements.findIndex(each => each === place.parents.at(-1)) + 1);
  return later.some(statement => disconnects(place, statement));
}

function statementsOf(node: Node | undefined): readonly Node[] {
  return node?.type === 'BlockStatement' ? node.body : [];
}

function disconnects(place: Place, statement: Node): boolean {
  const value =
    statement.type === 'ExpressionStatement' ? statement.expression : statement.type === 'ReturnStatement' ? statement.argument : undefined;
  return Boolean(value && calls({ ...place, node: value }, CLIENTS, 'disconnect'));
}

function isMiddleware(path: string): boolean {
  return /(?:^|\/)app\/io\/middleware\//.test(path);
}

function isFunction(node: Node): node is FunctionNode {
  return /Function|Method$/.test(node.type) && 'params' in node;
}

function hasNext({ params: [, next] }: FunctionNode): boolean {
  return next?.type === 'Identifier' && next.name === 'next';
}

/** Where it is first named. */
function firstNext({ body }: FunctionNode): number | undefined {
  for (const { node } of walk(body)) if (node.type === 'Identifier' && node.name === 'next') return Number(node.start);
  return undefined;
}

/** `ctx.packet.pop()`, `ctx.packet.slice(1, -1)`, `ctx.packet[ctx.packet.length - 1]` */
function readsContextOfPacket({ node, variables }: Place): boolean {
  const call = callAt(node);
  const member = call ? memberOf(call.callee) : memberAt(node);
  if (!member || variables.thing(member.object) !== 'packet') return false;
  if (call) return member.name === 'pop' || (member.name === 'slice' && call.arguments[1]?.type === 'UnaryExpression');
  if (member.name !== undefined || !('property' in node)) return false;
  const { property } = node;
  return property.type === 'BinaryExpression' && memberOf(property.left)?.name === 'length';
}
