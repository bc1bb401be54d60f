/** Each worker of a cluster answers what the program asks that has started it. */
module.exports = app => {
  if (!process.env.SOAK_REDIS) return;
  app.ready(async () => {
    const { census } = await import('../soak-census.mjs');
    process.on('message', async message => {
      if (message?.action === 'census') process.send({ action: 'census', to: 'master', answer: await census(app.io) });
    });
  });
};
