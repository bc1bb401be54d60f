'use strict';

// loaded only where tegg is on
const { join } = require('node:path');

const { ContextProto, Inject } = require(join(process.env.BENCH_TEGG, 'tegg'));
const { IoController, IoEvent } = require(join(process.env.BENCH_PLUGIN, 'tegg.js'));

class First {
  answer(message) {
    return message;
  }
}

class Second {}

class SingletonController {
  async echo(message) {
    return message;
  }
}

class ContextController {
  async echo(message) {
    return this.first.answer(message);
  }
}

for (const Class of [First, Second, ContextController]) ContextProto()(Class);
for (const name of ['first', 'second']) Inject()(ContextController.prototype, name);
for (const [Class, namespace] of [
  [SingletonController, '/tegg-singleton'],
  [ContextController, '/tegg-context'],
]) {
  IoEvent()(Class.prototype, 'echo', Object.getOwnPropertyDescriptor(Class.prototype, 'echo'));
  IoController(namespace)(Class);
}

Object.assign(exports, { First, Second, SingletonController, ContextController });
