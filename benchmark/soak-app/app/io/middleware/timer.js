module.exports = () => async (ctx, next) => {
  await next();
  ctx.logger.debug('%s took %d ms', ctx.packet[0], Date.now() - ctx.starttime);
};
