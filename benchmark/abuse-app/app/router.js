/** A route for each kind of attack; abuse-server.mjs has the same in plain Socket.IO. */
module.exports = app => {
  const main = app.io.of('/');
  main.route('echo', async ctx => ctx.args[0] ?? true);
  main.route('hang', () => new Promise(() => {}));
  main.route('throw', async () => {
    throw new Error('as a handler with a bug');
  });
  main.route('enter', async ctx => {
    ctx.join(ctx.args[0]);
    return true;
  });
  app.io.of('/room-{id}');
  app.io.of('/waiting').use(() => {}); // never goes on
  const strict = app.io.of('/strict');
  strict.route('hang', () => new Promise(() => {}));
  strict.route('typing', async () => true);
};
