/** Patterns: names of namespaces with parts such as `{id}`, which match any text. */
import { SetupError } from '../errors';

/** The parts of a pattern, by name: `{ id: string }` for `'/room-{id}'`. Any names for a string that the compiler does not know. */
export type Params<Pattern extends string> = string extends Pattern ? Record<string, string> : Record<PartName<Pattern>, string>;

type PartName<Pattern extends string> = Pattern extends `${string}{${infer Name}}${infer Rest}` ? Name | PartName<Rest> : never;

/** What a part can match. No braces, so that a name that a user has typed is never a pattern; no control characters. */
const CHARACTER = String.raw`[^/{}\x00-\x1f\x7f-\x9f\u2028\u2029]`;

/** Whether a name is a pattern. */
export function isPattern(name: string): boolean {
  return /[{}]/.test(name);
}

/**
 * Creates the regular expression of a pattern. It takes linear time, whatever name a client has sent: a part ends at the first occurrence of
 * the text behind it, or at the last one if no other part follows before the next slash.
 * @throws SetupError if a brace has no counterpart, or a part has no name of its own, or follows another one directly
 */
export function parsePattern(pattern: string): RegExp {
  const fail = (problem: string): never => {
    throw new SetupError('IO_PATTERN_INVALID', `of('${pattern}'): ${problem}`);
  };
  const [start = '', ...rest] = pattern.split(/\{([^{}]*)\}/); // texts and names take turns
  const names = new Set<string>();
  let source = `^${literal(start)}`;
  for (let index = 0; index < rest.length; index += 2) {
    const name = rest[index] ?? '';
    const text = rest[index + 1] ?? '';
    if (!/^[A-Za-z_]\w*$/.test(name) || name === '__proto__') fail(`{${name}} needs a name of letters, digits and _, such as {id}`);
    if (names.has(name)) fail(`it has {${name}} twice; give each part a name of its own`);
    names.add(name);
    const isLast = index + 2 === rest.length;
    if (text === '' && !isLast) fail(`{${name}} and the part after it need a text between them`);
    const endsSegment = isLast || text.includes('/');
    source += `(?<${name}>${endsSegment ? `${CHARACTER}+` : `${CHARACTER}(?:(?!${literal(text)})${CHARACTER})*`})${literal(text)}`;
  }
  if ([start, ...rest.filter((_, index) => index % 2 === 1)].some(isPattern)) fail('a brace has no counterpart');
  return new RegExp(`${source}$`);
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]|]/g, String.raw`\$&`);
}
