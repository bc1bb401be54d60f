'use strict';

module.exports = () => async (ctx, next) => {
  if (!ctx.session.user) throw new Error('nobody is logged in');
  await next();
};
