module.exports = app => {
  app.router.get('/login', ctx => {
    ctx.session.user = 'soak';
    ctx.body = 'Welcome';
  });

  const { packet } = app.io.controller;
  app.io.route('echo', packet.echo);
  app.io.route('note', packet.note);
  app.io.route('shout', packet.shout);
  app.io.route('fail', packet.fail);
  app.io.route('enter', packet.enter);
  app.io.route('leave', packet.leave);
  app.io.route('disconnect', packet.disconnect);
};
