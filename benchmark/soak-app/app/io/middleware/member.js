module.exports = () => async (ctx, next) => {
  const { user } = ctx.session;
  if (user !== 'soak') throw new Error('Log in first');
  ctx.socket.join(`user:${user}`);
  await next();
  ctx.logger.debug('%s has left', user);
};
