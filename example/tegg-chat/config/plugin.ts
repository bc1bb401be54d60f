export default {
  io: { enable: true, package: 'egg-socket.io' }, // tegg itself is on
};
