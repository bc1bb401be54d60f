/** Visits the schemas in a JSON Schema, and nothing else that is in it: keys of an object may be named like keywords. */
import type { JsonSchema } from './libraries/converter';

/** Keywords with a schema, or with a list of them. */
const SCHEMAS = new Set('additionalItems additionalProperties allOf anyOf contains else if items not oneOf propertyNames then'.split(' '));

/** Keywords with schemas by name. */
const NAMED_SCHEMAS = new Set(['$defs', 'definitions', 'dependencies', 'patternProperties', 'properties']);

/** Returns a copy in which a function has changed each schema, the inner ones first. */
export function mapSchemas(schema: unknown, change: (schema: JsonSchema) => JsonSchema): unknown {
  if (Array.isArray(schema)) return schema.map(one => mapSchemas(one, change));
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.entries(schema).map(([key, value]: [string, unknown]) => {
    if (SCHEMAS.has(key)) return [key, mapSchemas(value, change)];
    if (!NAMED_SCHEMAS.has(key) || typeof value !== 'object' || value === null) return [key, value];
    return [key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mapSchemas(inner, change)]))];
  });
  return change(Object.fromEntries(copy) as JsonSchema); // as it is one
}
