#!/usr/bin/env bash
# zod 4.6.7, valibot 1.5.0 with @valibot/to-json-schema 1.8.0, arktype 2.2.10, ajv 8.20.0, Node 20; 2026-11-29.
#
# The JSON Schema that these libraries make of what a schema accepts (`io: 'input'`, `typeMode: 'input'`, Standard JSON Schema's `input()`) can be
# stricter than the schema: it refuses values that the library accepts. All of this is silent, also with zod's `unrepresentable: 'throw'`; only
# valibot's converter complains about flags, unless `errorMode` is 'ignore'.
#
# Seen (the value, whether the library accepts it, whether the JSON Schema does):
#   zod regex(/^a/i): "A" true false
#   zod trim().max(1): " a " true false
#   zod coerce.number(): "5" true false
#   zod preprocess(String, string()): 5 true false
#   zod string().catch("x"): 5 true false
#   zod object with catch: {} true false
#   valibot tuple with an optional item: ["a"] true false
#   valibot pipe(string(), trim(), maxLength(1)): " a " true false
#   valibot fallback(string(), "x"): 5 true false
#   arktype /^a/i: "A" true false
#
# This affects every document and client that is made from such schemas: a gateway, a mock or a generated client refuses messages that the server
# would take. The plugin leaves these parts out of its documents, with a note (src/documents/libraries; the cases are in test/once/asyncapi.test.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund zod@4.6.7 valibot@1.5.0 @valibot/to-json-schema@1.8.0 arktype@2.2.10 ajv@8.20.0 || exit 2

cat >run.mjs <<'JS'
import { toJsonSchema } from '@valibot/to-json-schema';
import { type } from 'arktype';
import Ajv from 'ajv';
import * as v from 'valibot';
import { z } from 'zod';

const ofZod = schema => z.toJSONSchema(schema, { io: 'input', target: 'draft-7' });
const ofValibot = schema => toJsonSchema(schema, { typeMode: 'input', errorMode: 'ignore' });
const ofArktype = schema => schema['~standard'].jsonSchema.input({ target: 'draft-07' });

const cases = [
  ['zod regex(/^a/i)', z.string().regex(/^a/i), ofZod, 'A'],
  ['zod trim().max(1)', z.string().trim().max(1), ofZod, ' a '],
  ['zod coerce.number()', z.coerce.number(), ofZod, '5'],
  ['zod preprocess(String, string())', z.preprocess(String, z.string()), ofZod, 5],
  ['zod string().catch("x")', z.string().catch('x'), ofZod, 5],
  ['zod object with catch', z.object({ a: z.string().catch('x') }), ofZod, {}],
  ['valibot tuple with an optional item', v.tuple([v.string(), v.optional(v.number())]), ofValibot, ['a']],
  ['valibot pipe(string(), trim(), maxLength(1))', v.pipe(v.string(), v.trim(), v.maxLength(1)), ofValibot, ' a '],
  ['valibot fallback(string(), "x")', v.fallback(v.string(), 'x'), ofValibot, 5],
  ['arktype /^a/i', type(/^a/i), ofArktype, 'A'],
];
const ajv = new Ajv({ strict: false });
let changed = 0;
for (const [name, schema, convert, value] of cases) {
  const accepts = schema['~standard'].validate(value).issues === undefined;
  const fits = ajv.validate(convert(schema), value);
  console.log(`${name}: ${JSON.stringify(value)} ${accepts} ${fits}`);
  if (!accepts || fits) changed++;
}
process.exitCode = changed === 0 ? 0 : 1;
JS
timeout 50 node run.mjs
