/** The types of users. */

/**
 * The user of a connection, as `socket.user` returns it: what connection middleware has set, with the id as text. Apps declare further properties
 * here, such as a name: then `socket.user` has to be set to an object that has them.
 *
 * @example
 * declare module 'egg-socket.io' {
 *   interface SocketUser {
 *     name: string;
 *   }
 * }
 */
export interface SocketUser {
  /** Unique among the users of a namespace. */
  readonly id: string;
}

/** What `socket.user` can be set to: an object with an id, or the id alone unless the app has declared other properties that are required; or nobody. */
export type GivenUser =
  | null
  | undefined
  | ({ id: string | number } & { [Name in keyof SocketUser as Name extends 'id' ? never : Name]: SocketUser[Name] })
  | ({ id: string } extends SocketUser ? string | number : never);
