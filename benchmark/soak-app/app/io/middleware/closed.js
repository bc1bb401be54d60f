module.exports = () => async ctx => {
  throw Object.assign(new Error('Closed today'), { status: 403, user: ctx.session.user });
};
