/** `egg-socket.io/tegg`: controllers of sockets as classes of tegg. */
export {
  IoAck,
  IoConnect,
  IoContext,
  IoController,
  IoDisconnect,
  IoEvent,
  IoMiddleware,
  IoNamespace,
  IoParam,
  IoSession,
  IoSocket,
  IoUser,
} from './decorators';
