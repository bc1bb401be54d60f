/** Declarations for the official client: the types of a contract, for clients that cannot import it. */
import type { Description, EventDescription, NamespaceDescription } from './description';
import { propertyName, TypeText } from './type-text';

const HEAD = `// Made by \`npx egg-socket.io client\` from the contracts of the server. Do not edit.
import type { Socket } from 'socket.io-client';

/** The acknowledgement of an event that failed. */
export interface ErrorReply {
  error: { code: string; message: string; details?: unknown };
}
`;

const ERROR_EVENT = `  /** An event that did not ask for an acknowledgement has failed. */
  error: (message: string, failure: { code: string; event: string }) => void;
`;

/** Returns the source of a module: for each namespace a type of its socket, such as `ChatSocket` for `/chat`. */
export function toClientTypes({ namespaces }: Description): string {
  const types = new TypeText(['ErrorReply', 'Record', 'Socket']);
  const prefixes = namespaces.map(({ name }) => takePrefix(name, types)); // before the names of schemas
  const parts = namespaces.map((namespace, index) => socketOf(namespace, prefixes[index] ?? '', types));
  const named = types.declarations.map(line => `export ${line}\n`);
  return [HEAD, ...parts, ...named].join('\n');
}

function takePrefix(name: string, types: TypeText): string {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(word => word !== '');
  const joined = words.map(word => word[0]?.toUpperCase() + word.slice(1)).join('') || 'Root';
  return types.takePrefix(/^\p{N}/u.test(joined) ? `_${joined}` : joined, ['Socket', 'ServerEvents', 'ClientEvents']);
}

function socketOf({ name, client, server }: NamespaceDescription, prefix: string, types: TypeText): string {
  const comment = name.replaceAll('*/', '* /');
  const emitted = client.map(event => `  ${propertyName(event.name)}: (${emitParameters(event, types)}) => void;\n`);
  const heard = server.map(event => `  ${propertyName(event.name)}: (${types.parameters(event)}) => void;\n`);
  return `/** The socket of namespace ${comment}. */
export type ${prefix}Socket = Socket<${prefix}ServerEvents, ${prefix}ClientEvents>;

/** The events that the server emits in ${comment}. */
export interface ${prefix}ServerEvents {
${heard.join('')}${ERROR_EVENT}}

/** The events that clients send in ${comment}. */
export interface ${prefix}ClientEvents {
${emitted.join('')}}
`;
}

/** With an acknowledgement, whose callback comes last: also where arguments are omitted. */
function emitParameters(event: EventDescription, types: TypeText): string {
  const { args, required, ack } = event;
  if (!ack) return types.parameters(event);
  const callback = `ack: (reply: ${types.of(ack)} | ErrorReply) => void`;
  const lists = Array.from({ length: args.length - required + 1 }, (_, omitted) => args.slice(0, args.length - omitted)).map(
    shown => `[${[...shown.map((arg, index) => `arg${index}: ${types.needed(arg)}`), callback].join(', ')}]`,
  );
  return `...args: ${lists.join(' | ')}`;
}
