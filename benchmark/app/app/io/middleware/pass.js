'use strict';

module.exports = () => async (ctx, next) => {
  await next();
};
