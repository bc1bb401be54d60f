'use strict';

module.exports = app => {
  const { message, bare, generated = {} } = app.io.controller;
  const main = app.io.of('/');
  main.route('echo', message.echo);
  main.route('echo-and-log', message.echoAndLog);
  main.route('one-way', message.receive);
  main.route('shout', message.shout);
  for (const [name, { echo }] of Object.entries(generated)) main.route(name, echo);

  for (const namespace of ['/chain-0', '/chain-1', '/chain-5']) {
    app.io.of(namespace).route('echo', bare.echo);
    app.io.of(namespace).route('one-way', bare.receive);
  }
  app.get('/login', app.controller.login.login);
};
