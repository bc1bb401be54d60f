/** One result of `npx egg-socket.io doctor`. */
export interface Finding {
  /**
   * - `ok`: was checked, and is right
   * - `look`: may be right, which the app's operator knows
   * - `problem`: is wrong; the command exits with 1
   */
  readonly level: 'ok' | 'look' | 'problem';
  /** What was found. Without passwords. */
  readonly text: string;
  /** What to do. */
  readonly remedy?: string;
}

/** A line of the log without the name of this package. */
export function withoutName(line: string): string {
  return line.replace('[egg-socket.io] ', '');
}
