/** Takes away what validators of JSON Schema check in another way than the libraries. */
import type { JsonSchema } from './libraries/converter';
import { mapSchemas } from './walk';

/** Returns a schema that refuses nothing that its library accepts. @param leaveOut is called with what is taken away */
export function loosen(schema: JsonSchema, leaveOut: (what: string) => void): JsonSchema {
  return mapSchemas(schema, loosenOne) as JsonSchema; // as it is one

  function loosenOne({ format, multipleOf, minLength, pattern, patternProperties, oneOf, ...part }: JsonSchema): JsonSchema {
    const kept: Record<string, unknown> = part;
    // a union whose members have become looser may fit twice
    if (oneOf !== undefined) kept['anyOf'] = oneOf;
    // such as a URL with ä, or a time without seconds
    if (format !== undefined) leaveOut(`format ${asText(format)}`);
    // 19.99 is no multiple of 0.01 in floating point
    if (Number.isInteger(multipleOf)) kept['multipleOf'] = multipleOf;
    else if (multipleOf !== undefined) leaveOut(`multiples of ${asText(multipleOf)}`);
    // JSON Schema counts code points, and most libraries units of UTF-16: a code point has one or two of them
    if (typeof minLength === 'number') {
      kept['minLength'] = Math.ceil(minLength / 2);
      if (minLength > 1) leaveOut(`at least ${minLength} characters`);
    }
    if (pattern !== undefined) {
      if (isUnicode(pattern)) kept['pattern'] = pattern;
      else leaveOut('a regular expression that the flag u does not allow');
    }
    if (typeof patternProperties === 'object' && patternProperties !== null) {
      if (Object.keys(patternProperties).every(isUnicode)) kept['patternProperties'] = patternProperties;
      else {
        leaveOut('keys by a regular expression that the flag u does not allow');
        delete kept['additionalProperties'];
      }
    }
    return kept;
  }
}

/** Whether validators can compile it: they set the flag u. */
function isUnicode(pattern: unknown): boolean {
  try {
    return new RegExp(asText(pattern), 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/** Of a keyword's value, which a converter may have got wrong. */
function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
