/** Emits to clients, and disconnects one, on all processes. */
import type { Server } from 'socket.io';
import { toRoom } from '../internals/socket-io';
import { roomOfUser, userIdOf } from '../rooms';
import type { Processes } from './processes';
import { readEvent, type SocketAction, textOf } from './question';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Does what the page asks for. Returns it in words, without what is sent.
 * @param given the body of the request
 * @throws an error whose message is shown, also that of an emit
 */
export async function act(given: unknown, server: Server, processes: Processes): Promise<string> {
  if (typeof given !== 'object' || given === null) throw new Error('The request has no JSON');
  const fields = given as Fields; // of any values, which are read below
  const [kind, namespace] = [fields['kind'], textOf(fields['namespace'])];
  if ((kind !== 'disconnect' && kind !== 'emit') || namespace === undefined) throw new Error('Unknown action');
  const { event, args } = readEvent(fields);
  if (kind === 'emit' && event === '') throw new Error('An event has a name');
  const [socket, user, room] = [targetOf(fields, 'socket'), targetOf(fields, 'user'), targetOf(fields, 'room')];
  if (socket !== undefined) {
    await actOnSocket({ kind, namespace, socket, event, args }, processes);
    return `${kind === 'emit' ? `emitted '${event}' to` : 'disconnected'} socket ${socket} of ${namespace}`;
  }
  if (kind === 'disconnect') throw new Error('No socket to disconnect');
  const { answers } = server._nsps.has(namespace) ? { answers: [{}] } : await processes.ask({ kind: 'namespace', namespace });
  if (answers.length === 0) throw new Error(`There is no namespace ${namespace} any more`);
  const nsp = server.of(namespace);
  const target = user === undefined ? nsp.to(room ?? []) : toRoom(nsp, roomOfUser(userIdOf(user)));
  target.emit(event, ...args);
  return `emitted '${event}' to ${user === undefined ? (room === undefined ? 'everybody' : `room ${room}`) : `user ${user}`} of ${namespace}`;
}

/** Undefined if it is not given. @throws if it cannot be one: without it, an event would go to everybody */
function targetOf(fields: Fields, name: 'socket' | 'user' | 'room'): string | undefined {
  const target = textOf(fields[name]);
  if (target === undefined && fields[name] !== undefined) throw new Error(`This is no ${name}`);
  return target;
}

/** By the process that has it. */
async function actOnSocket(action: SocketAction, processes: Processes): Promise<void> {
  const { answers } = await processes.ask(action);
  if (answers.length === 0) throw new Error(`Socket ${action.socket} has gone`);
  for (const answer of answers) {
    const { problem } = answer as { readonly problem?: unknown }; // of answerAction
    if (typeof problem === 'string') throw new Error(problem);
  }
}

/** What a process answers: undefined if it does not have the socket. */
export function answerAction({ kind, namespace, socket: id, event, args }: SocketAction, server: Server): object | undefined {
  const socket = server._nsps.get(namespace)?.sockets.get(id);
  if (!socket) return undefined;
  try {
    if (kind === 'emit') socket.emit(event, ...args);
    else socket.disconnect();
    return {};
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
