/** tegg's objects in packets and around connections: with tegg as plugins on egg 3 and egg 4, and with egg 4.1, which has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Files, startApp } from './support/app';
import { next } from './support/client';
import { teggApp } from './support/tegg';

/** A module of four classes. Each tells `made` and `ended` when an object of it is made and destroyed. */
const MODULE: Files = {
  'app/module/shop/package.json': JSON.stringify({ name: 'shop', eggModule: { name: 'shop' } }),
  'app/module/shop/objects.js': `
    const { AccessLevel, ContextProto, Inject, SingletonProto } = require('@eggjs/tegg');
    const made = (exports.made = []);
    const ended = (exports.ended = []);
    class Base {
      constructor() { made.push(this.constructor.name); }
      async destroy() { ended.push(this.constructor.name); }
    }
    class Basket extends Base { items = []; add(item) { return this.items.push(item); } }
    class Order extends Base { count() { return this.basket.items.length; } }
    class Unasked extends Base {}
    class Shop extends Base { add(item) { return this.basket.add(item); } }
    Inject()(Order.prototype, 'basket');
    Inject()(Shop.prototype, 'basket');
    const accessLevel = AccessLevel.PUBLIC;
    for (const Class of [Basket, Order, Unasked]) ContextProto({ accessLevel })(Class);
    SingletonProto({ accessLevel })(Shop);
    exports.Basket = Basket;
    exports.Order = Order;
    exports.Unasked = Unasked;
    exports.Shop = Shop;`,
};

const APP: Files = teggApp({
  ...MODULE,
  'config/config.default.js': `exports.io = { namespace: { '/': { connectionMiddleware: ['around'], packetMiddleware: ['first'] } } };`,
  'app/io/middleware/around.js': `
    const { Basket, made } = require('../../module/shop/objects');
    module.exports = app => async (ctx, next) => {
      if (!ctx.handshake.query.basket) return next();
      const basket = await ctx.getEggObject(Basket);
      basket.add('connection');
      ctx.module.shop.basket.add('module');
      await next();
      (await app.getEggObject(Basket)).add('left');
      app.emit('left', basket.items, ctx.module.shop.basket.items, made.length);
    };`,
  'app/io/middleware/first.js': `
    const { Basket } = require('../../module/shop/objects');
    module.exports = () => async (ctx, next) => {
      if (ctx.args[0] === 'middleware') (await ctx.getEggObject(Basket)).add('middleware');
      await next();
    };`,
  'app/router.js': `
    const { Basket, Order, Shop, made, ended } = require('./module/shop/objects');
    module.exports = app => {
      const counted = (list) => { const names = [...list]; list.length = 0; return names.sort(); };
      app.io.route('counts', async () => ({ made: counted(made), ended: counted(ended) }));
      app.io.route('nothing', async ctx => app.currentContext === ctx);
      app.io.route('shop', async ctx => {
        const order = await ctx.getEggObject(Order);
        const shop = await app.getEggObject(Shop);
        shop.add('one');
        (await ctx.getEggObject(Basket)).add('two');
        await ctx.beginModuleScope(async () => { (await app.getEggObjectFromName('basket')).add('three'); });
        return [order.count(), ctx.module.shop.basket.items.length];
      });
      app.io.route('fail', async ctx => { await ctx.getEggObject(Basket); throw new Error('a mishap'); });
      app.io.route('background', async ctx => {
        const basket = await ctx.getEggObject(Basket);
        ctx.runInBackground(async function restock() {
          await new Promise(resolve => app.once('go on', resolve));
          const same = (await ctx.getEggObject(Basket)) === basket;
          app.emit('restocked', same, [...ended]);
        });
        return 'begun';
      });
      app.io.route('late', async ctx => {
        app.once('go on', async () => {
          const singleton = await app.getEggObject(Shop).then(shop => typeof shop.add, error => error.message);
          const context = await app.getEggObject(Basket).then(() => 'made', error => error.message);
          ctx.ack([singleton, context]);
        });
        app.emit('settling');
      });
      app.io.route('disconnecting', async ctx => { (await ctx.getEggObject(Basket)).add('going'); });
      app.io.route('disconnect', async ctx => {
        (await app.getEggObject(Basket)).add('gone');
        app.emit('bye', (await ctx.getEggObject(Basket)).items, ctx.module.shop.basket.items);
      });
    };`,
});

test('objects of tegg are those of the packet, whoever asks for them', async t => {
  const { open } = await startApp(t, APP);
  const client = await open();
  assert.deepEqual(await client.call('shop', 'middleware'), [4, 4]);
  assert.deepEqual(await client.call('shop'), [3, 3]); // a basket of its own
});

test('a packet makes the objects that it asks for and no others; they end when it has settled, also by a failure', async t => {
  const { open } = await startApp(t, APP);
  const client = await open();
  await client.call('counts');
  assert.equal(await client.call('nothing'), true);
  assert.deepEqual(await client.call('counts'), { made: [], ended: [] });
  await client.call('shop');
  assert.deepEqual(await client.call('counts'), { made: ['Basket', 'Order'], ended: ['Basket', 'Order'] });
  await assert.rejects(client.call('fail'), { message: 'a mishap' });
  assert.deepEqual(await client.call('counts'), { made: ['Basket'], ended: ['Basket'] });
});

test('objects around a connection last until it has gone, and a reserved event has its own', async t => {
  const { open, app } = await startApp(t, APP);
  const watcher = await open();
  await watcher.call('counts');
  const client = await open('/', { query: { basket: '1' } });
  assert.deepEqual(await client.call('shop'), [3, 3]);
  const [left, bye] = [next(app, 'left'), next(app, 'bye')];
  client.disconnect();
  const around = ['connection', 'module', 'left'];
  assert.deepEqual((await left).slice(0, 2), [around, around]);
  assert.deepEqual(await bye, [['gone'], ['gone']]);
  for (;;) {
    const { ended } = (await watcher.call('counts')) as { ended: string[] };
    if (ended.length > 0) {
      assert.deepEqual(new Set([...ended, 'Basket', 'Order']), new Set(['Basket', 'Order']));
      break;
    }
  }
});

test('what runs in the background keeps the objects of its packet', async t => {
  const { open, app } = await startApp(t, APP);
  const client = await open();
  await client.call('counts');
  assert.equal(await client.call('background'), 'begun');
  assert.deepEqual(await client.call('nothing'), true);
  const restocked = next(app, 'restocked');
  app.emit('go on');
  assert.deepEqual(await restocked, [true, []]);
  assert.deepEqual(await client.call('counts'), { made: ['Basket'], ended: ['Basket'] });
});

test('after a packet has settled, singletons are found, and its own objects are refused rather than kept for ever', async t => {
  const { open, app } = await startApp(t, APP);
  const client = await open();
  const answer = client.call('late');
  await next(app, 'settling');
  assert.equal(await client.call('nothing'), true);
  app.emit('go on');
  assert.deepEqual(await answer, ['function', 'ctx is required']);
});
