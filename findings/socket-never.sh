#!/usr/bin/env bash
# @types/node 26.6.6 and 25.9.9, socket.io 4.8.4, typescript 5.9.3; 2026-11-28.
#
# Since @types/node 26, no type can be both a `Socket` of Node and one of Socket.IO: the class of `node:net` has a public member `server`, that of
# Socket.IO a private one, and TypeScript reduces the intersection to `never`. The error appears where a member is used, not at the declaration.
#
# Seen:
#   @types/node 25.9.9: id is a string
#   @types/node 26.6.6: Property 'id' does not exist on type 'never'
#
# This affects plugins that add Socket.IO's socket to the `ctx.socket` of Koa or Egg, a socket of Node: after an update of @types/node, every
# `ctx.socket.emit()` in an app is a compile error. If the classes conflict, this plugin adds the public members instead (src/index.ts).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 typescript@5.9.3 types-25@npm:@types/node@25.9.9 types-26@npm:@types/node@26.6.6 || exit 2

cat >both.ts <<'TS'
import type { Socket as TcpSocket } from 'node:net';
import type { Socket } from 'socket.io';
declare const both: TcpSocket & Socket;
export const id: string = both.id;
TS

try() {
  mkdir -p node_modules/@types
  rm -rf node_modules/@types/node
  cp -r "node_modules/types-$1" node_modules/@types/node
  version=$(node -p "require('./node_modules/@types/node/package.json').version")
  seen=$(npx tsc --noEmit --strict --skipLibCheck --types node --module node16 --moduleResolution node16 --target es2022 both.ts) || true
  seen=$(grep -o "Property 'id' does not exist on type 'never'" <<<"$seen" || echo "${seen:-id is a string}")
  echo "@types/node $version: $seen"
}
try 25
[ "$seen" = 'id is a string' ]
try 26
[ "$seen" = "Property 'id' does not exist on type 'never'" ]
