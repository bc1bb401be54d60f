/** The two ways to the server. It is that of example/chat, and does not know a mini program from a web page. */
const { io } = require('egg-socket.io-mini-program');

/** For a phone: the address of your computer in the local network. */
const SERVER = '127.0.0.1:7001';

/** What a browser would keep, and send again: the session, and the token that Egg wants with what changes something. */
const cookies = {};

/** Over HTTP, as a web page does. Resolves to the user. */
async function logIn(name) {
  if (!cookies.csrfToken) await request('GET', '/session'); // brings the token
  const { user } = await request('POST', '/session', { name });
  return user;
}

/** The session's cookie comes with the handshake. */
function connect() {
  return io(`ws://${SERVER}/chat`, { extraHeaders: { cookie: cookieHeader() } });
}

/** Emits an event and waits for its acknowledgement. Rejects with the error that the server acknowledged. */
async function ask(socket, event, ...args) {
  if (!socket.connected) throw new Error('You are offline: this was not sent');
  const answer = await socket.timeout(5000).emitWithAck(event, ...args);
  if (answer.error) throw new Error(answer.error.message);
  return answer;
}

function request(method, path, data) {
  const header = { accept: 'application/json', cookie: cookieHeader(), 'x-csrf-token': cookies.csrfToken || '' };
  return new Promise((resolve, reject) => {
    wx.request({
      url: `http://${SERVER}${path}`,
      method,
      data,
      header,
      success(answer) {
        keep(answer.cookies || []);
        if (answer.statusCode === 200) resolve(answer.data);
        else reject(new Error(answer.data.message || `The server has answered with an error: ${answer.statusCode}`));
      },
      fail: ({ errMsg }) => reject(new Error(errMsg)),
    });
  });
}

function keep(lines) {
  for (const line of lines) {
    const [pair] = line.split(';');
    const name = pair.slice(0, pair.indexOf('='));
    cookies[name] = pair.slice(name.length + 1);
  }
}

function cookieHeader() {
  return Object.entries(cookies)
    .map(pair => pair.join('='))
    .join('; ');
}

module.exports = { ask, connect, logIn };
