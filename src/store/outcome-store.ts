/** Where the outcomes of handlers are kept: in this process, in the agent, or in the backend. */

/** What is known about a key. */
export type Claim =
  /** Nothing: the caller runs the handler, until its lease ends. */
  | { readonly state: 'first' }
  /** Another one runs it. */
  | { readonly state: 'running' }
  /** It has run. */
  | { readonly state: 'settled'; readonly outcome: string };

/** Keys begin with so many characters that are the same for all keys of one owner. */
export const OWNER_LENGTH = 16;

/** All methods reject if the home cannot be reached. Times are in ms. */
export interface OutcomeStore {
  /** Finds out what is known about a key, and takes a lease if that is nothing. Only one of several callers gets `first`. */
  claim(key: string, lease: number): Promise<Claim>;
  /** Prolongs a lease. Has no effect on an outcome. */
  renew(key: string, lease: number): Promise<void>;
  /** Ends a lease with the outcome, which is kept for `ttl`. An outcome that there is already stays. Resolves with true if older ones had to go for it. */
  settle(key: string, outcome: string, ttl: number): Promise<boolean | void>;
}
