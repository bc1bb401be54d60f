/** A route for each kind of attack; abuse-server.mjs has the same in plain Socket.IO. */
module.exports = app => {
  const [main, strict] = [app.io.of('/'), app.io.of('/strict')];
  for (const nsp of [main, strict]) {
    nsp.route('echo', async ctx => ctx.args[0]);
    nsp.route('hang', () => new Promise(() => {}));
  }
  main.route('throw', async () => {
    throw new Error('as a handler with a bug');
  });
  main.route('enter', async ctx => {
    ctx.join(ctx.args[0]);
    return true;
  });
  app.io.of('/room-{id}');
  app.io.of('/waiting').use(() => {}); // never goes on
};
