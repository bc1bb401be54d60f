/** `egg-socket.io/client`: what pages add to the official client. */
export { history, type HistoryOptions } from './history';
export { move } from './move';
export { createSend, type Send, SendError, type SendOptions } from './send';
