/** The two ways to the server. It is that of example/chat, and does not know a mini program from a web page. */
const { io } = require('egg-socket.io-mini-program');
const { SendError } = require('egg-socket.io-mini-program/client');

// The contract of the server gives the events their types. Only these: a mini program can load no file outside of its folder.
/**
 * @import { Socket } from 'egg-socket.io-mini-program'
 * @import { FromClient, Issue, Reply, ToClient, User } from '../chat/contract'
 */

/** For a phone: the address of your computer in the local network. */
const SERVER = '127.0.0.1:7001';

/**
 * What a browser would keep, and send again: the session, and the token that Egg wants with what changes something.
 *
 * @type {Record<string, string>}
 */
const cookies = {};

/** What a person has typed is not right. The message is in words for them, and shown beside the field. */
class FieldError extends Error {}

/**
 * Over HTTP, as a web page does.
 *
 * @param {string} name
 * @returns {Promise<User>}
 */
async function logIn(name) {
  if (!cookies.csrfToken) await request('GET', '/session'); // brings the token
  const { user } = await request('POST', '/session', { name });
  return user;
}

/**
 * The session's cookie comes with the handshake.
 *
 * @returns {Socket<ToClient, FromClient>}
 */
function connect() {
  return io(`ws://${SERVER}/chat`, { extraHeaders: { cookie: cookieHeader() }, ackTimeout: 5000 });
}

/**
 * What the server has answered. Rejects with the server's error instead.
 *
 * @template {object} T
 * @param {Promise<Reply<T>>} reply that of `emitWithAck()`, which resolves with an error, or of `send()`, which rejects with it
 * @param {number} [typed] which argument a person has typed, if any: if the server refuses this one, it is a FieldError
 * @returns {Promise<T>}
 */
async function answer(reply, typed) {
  const content = await reply.catch(refusal);
  if (!('error' in content)) return content;
  const { message, details } = content.error;
  // the contract has issues as details; other errors may have none
  const issues = /** @type {Partial<Issue>[]} */ (Array.isArray(details) ? details : []);
  const issue = typed === undefined ? undefined : issues.find(({ path }) => path?.[0] === typed);
  throw issue ? new FieldError(issue.message) : new Error(message);
}

/** @param {unknown} error */
function refusal(error) {
  if (error instanceof SendError) return { error };
  throw error;
}

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {object} [data]
 * @returns {Promise<any>} as the controller answers
 */
function request(method, path, data) {
  const header = { accept: 'application/json', cookie: cookieHeader(), 'x-csrf-token': cookies.csrfToken || '' };
  return new Promise((resolve, reject) => {
    wx.request({
      url: `http://${SERVER}${path}`,
      method,
      data,
      header,
      success(response) {
        keep(response.cookies || []);
        if (response.statusCode === 200) resolve(response.data);
        else reject(errorOf(response));
      },
      fail: ({ errMsg }) => reject(new Error(errMsg)),
    });
  });
}

/** @param {{ statusCode: number, data: any }} response */
function errorOf({ statusCode, data: { code, message } }) {
  if (code === 'INVALID_ARGUMENT' || code === 'NAME_TAKEN') return new FieldError(message);
  return new Error(message || `The server has answered with an error: ${statusCode}`);
}

/** @param {string[]} lines */
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

module.exports = { answer, connect, FieldError, logIn };
