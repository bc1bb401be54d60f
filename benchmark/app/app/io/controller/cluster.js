'use strict';

/** How many bytes are on their way before a worker waits for the others. */
const BATCH = 200_000;

module.exports = app =>
  class ClusterController extends app.Controller {
    /** The worker, and whether the client's WebSocket comes by way of another one: over a Unix socket, which has no address. */
    async where() {
      const { socket } = this.ctx.socket.conn.transport;
      return [process.pid, socket !== undefined && socket._socket._handle.constructor.name === 'Pipe'];
    }

    /** Tells the other workers what has nobody to go to, for so many ms. They have taken it once they answer what is asked after it. */
    async flood() {
      const [ms, bytes] = this.ctx.args;
      const room = app.io.to('nobody');
      const text = 'x'.repeat(bytes);
      const until = performance.now() + ms;
      let sent = 0;
      do {
        const end = sent + BATCH / bytes;
        for (; sent < end; sent++) room.emit('news', text);
        await room.fetchSockets();
      } while (performance.now() < until);
      return sent;
    }
  };
