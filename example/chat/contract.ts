/** What travels between the page and the server. Both get their types and their checks from here, and the mini program its types. */
import { defineContract, type EventsFromClient, type EventsToClient } from 'egg-socket.io/contract';
import * as v from 'valibot';

/** What a person has typed. The messages are in words for people: pages show them beside the field. */
const typed = (limit: number, ifEmpty: string) =>
  v.pipe(
    v.string(ifEmpty),
    v.trim(),
    v.minLength(1, ifEmpty),
    v.maxLength(limit, ({ input }) => `That is too long: ${input.length} characters, and ${limit} are allowed`),
  );

// These two come by HTTP.
export const userName = v.pipe(typed(20, 'Please enter a name'), v.regex(/[\p{L}\p{N}]/u, 'A name needs at least one letter or number'));
export const announcementText = typed(200, 'Please write something first');

const user = v.object({ id: v.string(), name: v.string() });

/** Who is online, as the plugin's presence has it. */
const present = v.object({ id: v.string(), meta: v.optional(v.object({ name: v.string() })) });

/** Whom a message is for: everybody in a room, or one person. */
const target = v.union([
  v.object({ room: typed(20, 'Please enter a name for the room') }),
  v.object({ user: v.pipe(v.string(), v.maxLength(36)) }), // an id
]);

/** `at` is in milliseconds, as of Date.now(). */
const message = v.object({ id: v.string(), from: user, to: target, text: v.string(), at: v.number() });

/** The names of all rooms. */
const rooms = v.array(v.string());

export const chat = defineContract({
  namespace: '/chat',
  client: {
    enter: { ack: v.object({ me: user, worker: v.number(), at: v.number(), rooms, online: v.array(present) }) },
    join: { args: [target], ack: v.array(message) },
    say: { args: [target, typed(500, 'Please write something first')], ack: message },
    typing: { args: [target] },
  },
  server: {
    message: { args: [message] },
    typing: { args: [user, target] },
    rooms: { args: [rooms] },
    presence: {
      args: [
        v.object({
          room: v.string(),
          count: v.number(),
          joined: v.array(present),
          changed: v.array(present),
          left: v.array(v.object({ id: v.string() })),
        }),
      ],
    },
    announcement: { args: [v.object({ from: user, text: v.string(), at: v.number() })] },
  },
});

export type User = v.InferOutput<typeof user>;
export type Target = v.InferOutput<typeof target>;
export type Message = v.InferOutput<typeof message>;
export type Present = v.InferOutput<typeof present>;

// for the mini program, whose client has a class Socket of its own
export type { Issue, Reply } from 'egg-socket.io/contract';
export type ToClient = EventsToClient<typeof chat>;
export type FromClient = EventsFromClient<typeof chat>;
