'use strict';

// loaded only where tegg is on
const { join } = require('node:path');

const { AccessLevel, ContextProto, HTTPController, HTTPMethod, Inject } = require(join(process.env.BENCH_TEGG, 'tegg'));
const { IoController, IoEvent } = require(join(process.env.BENCH_PLUGIN, 'tegg.js'));

/** As the generator sends it. */
const MESSAGE = { a: 1, text: 'hello world' };

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

/** Of requests, which have no message. */
class SingletonHttpController {
  async echo() {
    return [MESSAGE];
  }
}

class ContextHttpController {
  async echo() {
    return [this.first.answer(MESSAGE)];
  }
}

for (const Class of [First, Second, ContextController]) ContextProto()(Class);
for (const { prototype } of [ContextController, ContextHttpController]) for (const name of ['first', 'second']) Inject()(prototype, name);
for (const [Class, namespace] of [
  [SingletonController, '/tegg-singleton'],
  [ContextController, '/tegg-context'],
]) {
  IoEvent()(Class.prototype, 'echo', Object.getOwnPropertyDescriptor(Class.prototype, 'echo'));
  IoController(namespace)(Class);
}
for (const [Class, path] of [
  [SingletonHttpController, '/tegg-singleton'],
  [ContextHttpController, '/tegg-context'],
]) {
  HTTPMethod({ method: 'GET', path })(Class.prototype, 'echo', Object.getOwnPropertyDescriptor(Class.prototype, 'echo'));
  HTTPController()(Class);
}
ContextProto({ accessLevel: AccessLevel.PUBLIC })(ContextHttpController); // after HTTPController(), which makes singletons

Object.assign(exports, { First, Second, SingletonController, ContextController, SingletonHttpController, ContextHttpController });
