/** Each worker answers what the program asks that has started it. */
module.exports = app => {
  app.ready(async () => {
    const { answerMaster } = await import('../abuse-worker.mjs');
    const { default: lifecycle } = await import('../../dist/server/lifecycle.js');
    const { children } = lifecycle.lifecycleOf(app.io).namespaces;
    answerMaster(app.io, () => {
      const { maxIdle } = children;
      children.maxIdle = 0;
      children.sweep();
      children.maxIdle = maxIdle;
    });
  });
};
