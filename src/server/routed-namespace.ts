/** The types of `app.io.of()`. */
import type { DefaultEventsMap, Namespace, Server } from 'socket.io';
import type { Asking } from '../backplane/operators';
import type { HasHistory } from '../backplane/room-history';
import type { Users } from '../backplane/user-operator';
import type { Data, Emitted, EventSource, Received } from '../events';
import type { HasPresence } from '../presence/presence';
import type { Socket } from '../types';
import type { Routes } from './routes';

/** A namespace of Socket.IO with `route()`, `emitWithAck()`, `user()`, `history()` and `presence()`. With a name or a contract, its events and data have the types of these. */
export type RoutedNamespace<Source extends EventSource = never> = Namespace<
  Received<Source>,
  Emitted<Source>,
  DefaultEventsMap,
  Data<Source>
> &
  Routes<Source> &
  Asking<Emitted<Source>> &
  Users<Emitted<Source>, Data<Source>> &
  HasHistory<Emitted<Source>> &
  HasPresence;

/** The server's end of a connection to such a namespace. */
export type NamespaceSocket<Source> = Socket<Received<Source>, Emitted<Source>, DefaultEventsMap, Data<Source>>;

/** Decides whether a client may have a namespace. */
export type Matcher = Exclude<Parameters<Server['of']>[0], string | RegExp>;
