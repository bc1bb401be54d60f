/** What an expression of an app stands for, as far as names tell: there are no types to ask. */
import type { CallExpression, Node, OptionalCallExpression } from '@babel/types';

export type Thing =
  | 'app'
  | 'context'
  | 'this'
  | 'request'
  | 'server'
  | 'namespace'
  | 'room'
  | 'adapter'
  | 'socket'
  | 'packet'
  | 'sockets'
  | 'connected'
  | 'rooms of an adapter'
  | 'rooms of a socket'
  | 'sids';

/** By the name of a variable or parameter that nothing more is known of. */
const NAMES: readonly (readonly [RegExp, Thing])[] = [
  [/^(?:app|agent)$/, 'app'],
  [/^(?:ctx|context)$/, 'context'],
  [/^io$/, 'server'],
  [/^(?:nsp|namespace|\w+Nsp)$/, 'namespace'],
  [/^(?:adapter|\w+Adapter)$/, 'adapter'],
  [/^(?:socket|\w+Socket)$/, 'socket'],
];

const OF_NAMESPACE = { adapter: 'adapter', sockets: 'sockets', connected: 'connected', server: 'server' } as const;

const MEMBERS: Partial<Record<Thing, Readonly<Record<string, Thing>>>> = {
  app: { io: 'server' },
  context: {
    socket: 'socket',
    server: 'server',
    adapter: 'adapter',
    req: 'request',
    request: 'request',
    rooms: 'rooms of a socket',
    packet: 'packet',
  },
  this: { packet: 'packet' },
  server: { ...OF_NAMESPACE, sockets: 'namespace' }, // that of `/`
  namespace: OF_NAMESPACE,
  room: { connected: 'connected' },
  adapter: { rooms: 'rooms of an adapter', sids: 'sids', nsp: 'namespace' },
  socket: {
    adapter: 'adapter',
    nsp: 'namespace',
    server: 'server',
    request: 'request',
    rooms: 'rooms of a socket',
    broadcast: 'room',
    volatile: 'socket',
  },
};

const CALLS: Partial<Record<Thing, Readonly<Record<string, Thing>>>> = {
  context: { to: 'room', in: 'room' },
  server: { of: 'namespace', to: 'room', in: 'room' },
  namespace: { to: 'room', in: 'room' },
  room: { to: 'room', in: 'room' },
  socket: { to: 'room', in: 'room' },
  sockets: { get: 'socket' },
};

/** The variables of one file. Scopes are not looked at: who calls two things by one name calls them by another's as well. */
export class Variables {
  readonly #things = new Map<string, Thing | undefined>();

  /** To be told of each node, from the first to the last. */
  learn(node: Node): void {
    if (node.type === 'ImportDeclaration' && isClient(node.source.value))
      for (const { local } of node.specifiers) this.#name(local, undefined);
    if (node.type === 'VariableDeclarator' && node.init) this.#assign(node.id, node.init);
    if (node.type === 'CallExpression') this.#learnOfListener(node);
  }

  /** What an expression is, or undefined. */
  thing(expression: Node): Thing | undefined {
    const node = bare(expression);
    if (node.type === 'ThisExpression') return 'this';
    if (node.type === 'Identifier') {
      if (this.#things.has(node.name)) return this.#things.get(node.name);
      return thingNamed(node.name);
    }
    const call = callOf(node);
    const member = call ? memberOf(call.callee) : memberOf(node);
    const owner = member && this.thing(member.object);
    if (!member || (!owner && call)) return undefined;
    if (member.name === undefined) return !call && (owner === 'sockets' || owner === 'connected') ? 'socket' : undefined;
    return call ? owner && valueAt(CALLS[owner], member.name) : this.#memberOf(owner, member.name);
  }

  #memberOf(owner: Thing | undefined, name: string): Thing | undefined {
    const thing = owner && valueAt(MEMBERS[owner], name);
    if (thing || (owner && owner !== 'this')) return thing ?? (name === 'app' ? 'app' : name === 'ctx' ? 'context' : undefined);
    const named = thingNamed(name); // `this.nsp`, `service.app`: whosever they are
    return named === 'server' && !owner ? undefined : named;
  }

  #assign(target: Node, value: Node): void {
    const called = bare(value);
    if (called.type === 'CallExpression' && called.callee.type === 'Identifier' && called.callee.name === 'require') {
      const [name] = called.arguments;
      if (name?.type === 'StringLiteral' && isClient(name.value)) for (const each of namesIn(target)) this.#name(each, undefined);
      return;
    }
    const thing = this.thing(value);
    if (target.type === 'Identifier' && thing && thing !== 'this') this.#name(target, thing);
    if (target.type !== 'ObjectPattern') return;
    for (const property of target.properties)
      if (property.type === 'ObjectProperty' && property.key.type === 'Identifier' && property.value.type === 'Identifier') {
        const member = this.#memberOf(thing, property.key.name);
        if (member) this.#name(property.value, member);
      }
  }

  /** `io.on('connection', client => ...)` */
  #learnOfListener(node: Node & { type: 'CallExpression' }): void {
    const [event, listener] = node.arguments;
    if (event?.type !== 'StringLiteral' || !/^connect(?:ion)?$/.test(event.value)) return;
    if (listener?.type !== 'ArrowFunctionExpression' && listener?.type !== 'FunctionExpression') return;
    const owner = memberOf(node.callee)?.object;
    const thing = owner && this.thing(owner);
    const [socket] = listener.params;
    if (socket?.type === 'Identifier' && (thing === 'server' || thing === 'namespace')) this.#name(socket, 'socket');
  }

  #name(variable: Node, thing: Thing | undefined): void {
    if (variable.type === 'Identifier') this.#things.set(variable.name, thing);
  }
}

function thingNamed(name: string): Thing | undefined {
  return NAMES.find(([names]) => names.test(name))?.[1];
}

/** Not what every object has: an app may name a member `constructor`. */
function valueAt(things: Readonly<Record<string, Thing>> | undefined, name: string): Thing | undefined {
  return things && Object.hasOwn(things, name) ? things[name] : undefined;
}

export function isClient(name: string): boolean {
  return name.startsWith('socket.io-client');
}

/** Without what says something of its type alone, and without `await`. */
export function bare(node: Node): Node {
  if (node.type === 'AwaitExpression') return bare(node.argument);
  const isTyped =
    node.type === 'TSAsExpression' ||
    node.type === 'TSNonNullExpression' ||
    node.type === 'TSSatisfiesExpression' ||
    node.type === 'TSTypeAssertion';
  return isTyped ? bare(node.expression) : node;
}

export interface Member {
  object: Node;
  /** Undefined where it is read by a key: `object[key]`. */
  name: string | undefined;
}

/** Its parts, if the expression reads a member. */
export function memberOf(expression: Node): Member | undefined {
  const node = bare(expression);
  if (node.type !== 'MemberExpression' && node.type !== 'OptionalMemberExpression') return undefined;
  const { object, property, computed } = node;
  return { object, name: !computed && property.type === 'Identifier' ? property.name : undefined };
}

export type Call = CallExpression | OptionalCallExpression;

export function callOf(expression: Node): Call | undefined {
  const node = bare(expression);
  return node.type === 'CallExpression' || node.type === 'OptionalCallExpression' ? node : undefined;
}

function namesIn(pattern: Node): Node[] {
  if (pattern.type !== 'ObjectPattern') return [pattern];
  return pattern.properties.flatMap(property => (property.type === 'ObjectProperty' ? [property.value] : []));
}
