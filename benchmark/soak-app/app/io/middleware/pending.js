const { once } = require('node:events');

/** Goes on when it is too late: the client has gone. */
module.exports = () => async (ctx, next) => {
  await once(ctx.conn, 'close');
  await next();
};
