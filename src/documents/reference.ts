/** A reference of the contracts in Markdown. */
import type { Description, EventDescription, NamespaceDescription, ValueDescription } from './description';
import { TypeText } from './type-text';

const HEAD = `Each event has the types of its arguments, in the order in which they are sent, and of its acknowledgement. An acknowledgement may be \`{ error: { code, message, details } }\` instead.`;

/** Returns a page. */
export function toReference({ app, namespaces }: Description): string {
  const types = new TypeText();
  const parts = namespaces.map(namespace => sectionOf(namespace, types));
  const { declarations } = types;
  const named = declarations.length > 0 ? [`## Types\n\n${fence('ts', declarations.join('\n'))}`] : [];
  return [`# Events of ${escape(app.name)} ${escape(app.version)}`, HEAD, ...parts, ...named].join('\n\n') + '\n';
}

function sectionOf(namespace: NamespaceDescription, types: TypeText): string {
  const text = groupsOf(namespace).map(([title, events]) => [`### ${title}`, ...events.map(event => eventOf(event, types))].join('\n\n'));
  return [`## Namespace ${code(namespace.name)}`, ...text].join('\n\n');
}

/** The events, under the titles that they have in a reference. */
export function groupsOf({ client, server }: NamespaceDescription): (readonly [title: string, events: readonly EventDescription[]])[] {
  const groups = [
    ['Sent by clients', client],
    ['Emitted by the server', server],
  ] as const;
  return groups.filter(([, events]) => events.length > 0);
}

function eventOf(event: EventDescription, types: TypeText): string {
  const values = valuesOf(event);
  return [
    `#### ${code(event.name)}`,
    fence('ts', signatureOf(event, types)),
    ...values.flatMap(([label, value]) => noteOf(label, value) ?? []),
    ...values.map(
      ([label, { schema }]) => `<details><summary>JSON Schema of ${label}</summary>\n\n${fence('json', json(schema))}\n\n</details>`,
    ),
  ].join('\n\n');
}

/** The arguments and the acknowledgement of an event, with what they are called in a reference. */
export function valuesOf({ args, ack }: EventDescription): (readonly [label: string, value: ValueDescription])[] {
  const values = args.map((arg, index) => [`arg${index}`, arg] as const);
  return ack ? [...values, ['acknowledgement', ack]] : values;
}

/** An event as a function of TypeScript. */
export function signatureOf(event: EventDescription, types: TypeText): string {
  return `(${types.parameters(event)}) => ${event.ack ? types.of(event.ack) : 'void'}`;
}

function noteOf(label: string, { schema: { description } }: ValueDescription): string | undefined {
  return typeof description === 'string' ? `- ${label}: ${escape(description)}` : undefined;
}

export function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** A fence longer than any in the text. */
function fence(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const ticks = '`'.repeat(longest + 1);
  return `${ticks}${language}\n${text}\n${ticks}`;
}

function code(text: string): string {
  return `\`${text.replaceAll('`', "'")}\``;
}

/** Text that Markdown and HTML show as it is. */
function escape(text: string): string {
  return text.replaceAll(/[\\`*_{}[\]<>#|&]/g, character => `\\${character}`).replaceAll(/\s+/g, ' ');
}
