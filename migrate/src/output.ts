export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`egg-socket.io: ${text}\n`);
}

/** @param color its number in the codes of terminals */
export function colored(text: string, color: number): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? `\u001b[${color}m${text}\u001b[0m` : text;
}

/** Its message, with all of its lines. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function oneLine(error: unknown): string {
  return messageOf(error).replaceAll(/\s+/g, ' ');
}
