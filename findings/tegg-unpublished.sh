#!/usr/bin/env bash
# @eggjs/tegg 3.79.2, the newest of version 3, npm 10, Node 20; 2026-11-29.
#
# tegg 3 cannot be installed by `npm install` alone. Its packages depend on each other by ranges, such as ^3.79.2. Some of them have been published
# as 3.87.0 and 3.88.1, and these need versions of @eggjs/tegg-common-util, @eggjs/tegg-types and others that are not on npm.
#
# Seen:
#   without overrides: ETARGET
#   with overrides: 3.79.2
#
# This affects every app on egg 3 and 4.0 that installs tegg without a lock file, or updates it. The guide has the overrides that work
# (docs/tegg.md), and so do our tests (test/hosts/tegg/package.json). If this has changed, both can go.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm view @eggjs/tegg@3.79.2 version >/dev/null || exit 2

cat >run.mjs <<'JS'
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const PACKAGES = ['tegg', 'tegg-config', 'tegg-plugin', 'tegg-controller-plugin'].map(name => `@eggjs/${name}@3.79.2`);
const PARTS = ['ajv', 'aop', 'controller', 'core', 'dal', 'eventbus', 'standalone', 'tegg-orm', 'tegg-schedule', 'tegg-transaction'];
const overrides = Object.fromEntries([...PARTS.map(name => `${name}-decorator`), 'tegg-common-util'].map(name => [`@eggjs/${name}`, '3.79.2']));

/** @returns npm's code, or the version of a part */
function install(content) {
  writeFileSync('package.json', JSON.stringify(content));
  const options = ['--package-lock-only', '--no-audit', '--no-fund', '--prefer-offline'];
  const { status, stderr } = spawnSync('npm', ['install', ...options, ...PACKAGES], { encoding: 'utf8' });
  if (status !== 0) return /code (\w+)/.exec(stderr)?.[1];
  return JSON.parse(readFileSync('package-lock.json', 'utf8')).packages['node_modules/@eggjs/core-decorator'].version;
}

const seen = [install({}), install({ overrides })];
console.log(`without overrides: ${seen[0]}\nwith overrides: ${seen[1]}`);
process.exit(String(seen) === 'ETARGET,3.79.2' ? 0 : 1);
JS
timeout 55 node run.mjs
