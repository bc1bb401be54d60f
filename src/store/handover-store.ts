/** Where a process leaves what it hands over to another one: in the agent, or in the backend. */

/** Both methods reject if the place cannot be reached. */
export interface HandoverStore {
  /** Whether the place is still there when no process of the app is running. */
  readonly lasts: boolean;
  /** Keeps a text for `ttl` ms, in place of another one of this name. */
  put(name: string, text: string, ttl: number): Promise<void>;
  /** Removes a text, and resolves with it. Of several callers one gets it, all others undefined. */
  take(name: string): Promise<string | undefined>;
}
