#!/usr/bin/env bash
# socket.io 4.8.4, socket.io-client 4.8.4 with engine.io-client 6.6.8, Node 20 and 24; 2026-11-30.
#
# A client whose clock is set ahead by more than a heartbeat, 45 s by default, leaves a sound connection: its next emit closes it with 'ping timeout', and
# waits for the next connection. The client compares `Date.now()` with the time by which a ping has to come, to notice that its timer was late. With
# `useNativeTimers`, which is for tests with fake timers, its timers are real, and this clock is still the fake one.
#
# Seen:
#   44 s ahead: the same connection
#   46 s ahead: ping timeout, another connection has the event
#   46 s ahead, useNativeTimers: ping timeout, another connection has the event
#
# This affects tests that fake the date, and devices without a clock of their own, which connect before they have asked for the time: their rooms are
# lost, and `disconnect` and `connect` fire, though nothing has happened to the network. docs/testing.md says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4 || exit 2

cat >run.mjs <<'JS'
import { once } from 'node:events';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const server = new Server(0);
server.on('connection', socket => socket.on('whoami', answer => answer(socket.id)));
const url = `http://127.0.0.1:${server.httpServer.address().port}`;
const now = Date.now;

async function seen(seconds, options) {
  const client = io(url, { transports: ['websocket'], forceNew: true, ...options });
  await once(client, 'connect');
  const { id } = client;
  let reason = '';
  client.on('disconnect', given => (reason ||= `${given}, `));
  Date.now = () => now() + seconds * 1000; // the server does not ask for the time
  const answer = await client.emitWithAck('whoami');
  Date.now = now;
  const by = answer === id ? 'the same connection' : 'another connection has the event';
  const line = `${seconds} s ahead${options ? `, ${Object.keys(options)}` : ''}: ${reason}${by}`;
  client.disconnect();
  console.log(line);
  return line;
}

const lines = [await seen(44), await seen(46), await seen(46, { useNativeTimers: true })];
server.close();
process.exitCode =
  String(lines) ===
  [
    '44 s ahead: the same connection',
    '46 s ahead: ping timeout, another connection has the event',
    '46 s ahead, useNativeTimers: ping timeout, another connection has the event',
  ].join()
    ? 0
    : 1;
JS
timeout 50 node run.mjs
