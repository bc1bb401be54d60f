#!/usr/bin/env bash
# zod 4.6.7 beside valibot 1.5.0, Node 20; 2026-11-29.
#
# By Standard Schema, zod runs an asynchronous refinement twice for each value. Its `~standard.validate()` tries the schema synchronously first,
# which starts the refinement, and then validates again with promises. Nobody handles the promise of the first run, so one that rejects is an
# unhandled rejection besides. `safeParseAsync()` runs it once, and so does valibot by Standard Schema.
#
# Seen:
#   zod, ~standard.validate(): 2 calls
#   zod, safeParseAsync(): 1 call
#   valibot, ~standard.validate(): 1 call
#
# This affects apps whose schemas ask a database, for example whether a name is free: each event asks twice. For contracts the plugin calls
# `safeParseAsync()` once it knows that a schema is asynchronous (src/contract/check.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund zod@4.6.7 valibot@1.5.0 || exit 2

cat >run.mjs <<'JS'
import * as v from 'valibot';
import { z } from 'zod';

let calls = 0;
const isFree = async () => Boolean(++calls);
const named = z.string().refine(isFree);
const namedByValibot = v.pipeAsync(v.string(), v.checkAsync(isFree));

const seen = [];
for (const [name, validate] of [
  ['zod, ~standard.validate()', () => named['~standard'].validate('ann')],
  ['zod, safeParseAsync()', () => named.safeParseAsync('ann')],
  ['valibot, ~standard.validate()', () => namedByValibot['~standard'].validate('ann')],
]) {
  calls = 0;
  await validate();
  console.log(`${name}: ${calls} call${calls === 1 ? '' : 's'}`);
  seen.push(calls);
}
process.exit(String(seen) === '2,1,1' ? 0 : 1);
JS
timeout 50 node run.mjs
