#!/usr/bin/env bash
# @asyncapi/parser 3.6.6, ajv 8.20.0, zod 4.6.7, Node 20; 2026-11-29.
#
# The official parser accepts an AsyncAPI 3 document whose payload no message can fit, without a diagnostic. zod's converter writes JSON Schema
# 2020-12 unless told otherwise: a tuple has `prefixItems` and `items: false`. AsyncAPI's own schemas are draft 7, which ignores `prefixItems`, and
# for which `items: false` refuses every item. With `minItems: 2` nothing fits. The parser checks neither `$schema`, nor the message's own example.
#
# Seen:
#   the parser takes it: true, diagnostics: asyncapi-latest-version
#   the example fits: false
#   as draft 7, the parser takes it: true, the example fits: true
#
# This affects documents of events with several arguments, which are tuples: the validator says that all is well, while generated code and
# gateways refuse every message. The plugin writes draft 7 and names it in `schemaFormat`; test/once/asyncapi.test.ts compares the schemas with
# messages of a real app.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts @asyncapi/parser@3.6.6 ajv@8.20.0 zod@4.6.7 || exit 2

cat >run.cjs <<'JS'
const { Parser } = require('@asyncapi/parser');
const { default: Ajv } = require('ajv');
const { z } = require('zod');

const EXAMPLE = ['a', 1];
const tuple = z.tuple([z.string(), z.number()]);

async function check(schema) {
  const document = {
    asyncapi: '3.0.0',
    info: { title: 'tuple', version: '1.0.0' },
    channels: { chat: { address: '/chat', messages: { say: { payload: schema, examples: [{ payload: EXAMPLE }] } } } },
    operations: { say: { action: 'receive', channel: { $ref: '#/channels/chat' } } },
  };
  const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
  const { $schema: _, ...rest } = schema; // a reader of AsyncAPI takes it as draft 7
  return { isTaken: parsed !== undefined, codes: diagnostics.map(({ code }) => code), fits: new Ajv({ strict: false }).validate(rest, EXAMPLE) };
}

async function main() {
  const newer = await check(z.toJSONSchema(tuple));
  console.log(`the parser takes it: ${newer.isTaken}, diagnostics: ${newer.codes}`);
  console.log(`the example fits: ${newer.fits}`);
  const draft7 = await check(z.toJSONSchema(tuple, { target: 'draft-7' }));
  console.log(`as draft 7, the parser takes it: ${draft7.isTaken}, the example fits: ${draft7.fits}`);
  process.exitCode = newer.isTaken && !newer.fits && String(newer.codes) === 'asyncapi-latest-version' && draft7.fits ? 0 : 1;
}
main();
JS
timeout 50 node run.cjs
