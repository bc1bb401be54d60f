'use strict';

const ROUTES = Number(process.env.BENCH_ROUTES ?? 1);

module.exports = app => {
  const { message, bare } = app.io.controller;
  const main = app.io.of('/');
  main.route('echo', message.echo);
  main.route('echo-and-log', message.echoAndLog);
  main.route('one-way', message.receive);
  main.route('shout', message.shout);
  for (let i = 1; i < ROUTES; i++) main.route(`event-${i}`, message.echo);

  for (const namespace of ['/bare', '/chain-0', '/chain-1', '/chain-5']) {
    app.io.of(namespace).route('echo', bare.echo);
    app.io.of(namespace).route('one-way', bare.receive);
  }
  app.get('/login', app.controller.login.login);
};
