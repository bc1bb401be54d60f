'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const { BENCH_MODULES, BENCH_PLUGIN, BENCH_TEGG } = process.env;

module.exports = app => {
  const { message, bare, silent, cluster, adapters } = app.io.controller;
  const generated = 'generated' in app.io.controller ? app.io.controller.generated : {}; // looking for a name that is not there is warned of
  const main = app.io.of('/');
  main.route('echo', message.echo);
  main.route('echo-and-log', message.echoAndLog);
  main.route('one-way', silent.receive);
  main.route('shout', silent.shout);
  main.route('to-room', silent.toRoom);
  main.route('to-others', silent.toOthers);
  main.route('to-self', silent.toSelf);
  main.route('where', cluster.where);
  if (cluster.flood) main.route('flood', cluster.flood);
  main.route('enter', adapters.enter);
  main.route('tell', adapters.tell);
  for (const [name, { echo }] of Object.entries(generated)) main.route(name, echo);

  for (const namespace of ['/chain-0', '/chain-1', '/chain-5']) {
    app.io.of(namespace).route('echo', bare.echo);
    app.io.of(namespace).route('one-way', silent.receiveBare);
  }
  if (existsSync(join(BENCH_PLUGIN, 'contract.js'))) app.io.of(contract()).route('echo', bare.echo);
  if (BENCH_TEGG) app.io.of('/tegg-route').route('echo', bare.echo);
  app.get('/login', app.controller.login.login);
};

/** Earlier versions of this plugin have no contracts. */
function contract() {
  const { defineContract } = require(join(BENCH_PLUGIN, 'contract.js'));
  const { z } = require(join(BENCH_MODULES, 'zod'));
  const message = z.object({ a: z.number(), text: z.string() });
  return defineContract({ namespace: '/contract', client: { echo: { args: [message], ack: message } } });
}
