module.exports = app => async (ctx, next) => {
  app.kept?.push(ctx); // the leak that `npm run soak -- --leak` is to find
  if (ctx.packet[0] !== 'unwanted') await next();
};
