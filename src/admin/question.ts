/** What the page wants to know of each process, or has one of them do to a socket. It comes over HTTP, and from other processes. */

/** What the page shows. */
export interface View {
  readonly kind: 'view';
  /** The namespace whose sockets, rooms and users are listed. */
  readonly namespace: string;
  /** Only sockets in this room. */
  readonly room: string | undefined;
  /** Only sockets of this user. */
  readonly user: string | undefined;
  /** Only sockets with this in their id, user or address, in lower case. */
  readonly search: string;
  /** The id of the socket whose events are shown. */
  readonly socket: string | undefined;
  /** The number of the last of these events that the page has. */
  readonly after: number;
}

/** What is done to one socket. */
export interface SocketAction {
  readonly kind: 'disconnect' | 'emit';
  readonly namespace: string;
  readonly socket: string;
  readonly event: string;
  readonly args: readonly unknown[];
}

/** Whether a process has a namespace. */
interface NamespaceQuestion {
  readonly kind: 'namespace';
  readonly namespace: string;
}

export type Question = View | SocketAction | NamespaceQuestion;

type Fields = Readonly<Record<string, unknown>>;

/** Undefined if it is none. */
export function readQuestion(given: unknown): Question | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const fields = given as Fields; // of any values, which are read below
  const namespace = textOf(fields['namespace']);
  if (namespace === undefined) return undefined;
  if (fields['kind'] === 'view') return readView(namespace, fields);
  if (fields['kind'] === 'namespace') return { kind: 'namespace', namespace };
  const [kind, socket] = [fields['kind'], textOf(fields['socket'])];
  if ((kind !== 'disconnect' && kind !== 'emit') || socket === undefined) return undefined;
  const { event, args } = readEvent(fields);
  return { kind, namespace, socket, event, args };
}

export function readView(namespace: string, fields: Fields): View {
  return {
    kind: 'view',
    namespace,
    room: textOf(fields['room']),
    user: textOf(fields['user']),
    search: (textOf(fields['search']) ?? '').toLowerCase(),
    socket: textOf(fields['socket']),
    after: Number(fields['after']) || 0,
  };
}

export function readEvent(fields: Fields): Pick<SocketAction, 'event' | 'args'> {
  const { event, args } = fields;
  return { event: textOf(event) ?? '', args: Array.isArray(args) ? args : [] };
}

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
