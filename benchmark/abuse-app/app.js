/** Each worker answers what the program asks that has started it. */
module.exports = app => {
  app.ready(async () => {
    const { answerMaster } = await import('../abuse-worker.mjs');
    answerMaster(app.io);
  });
};
