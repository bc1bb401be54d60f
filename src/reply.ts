/** What a part of `npx egg-socket.io` that runs in a process of its own sends to the command. */

/** Resolves when all of it is with the parent process: to exit before would cut it off. */
export async function reply(message: object): Promise<void> {
  await new Promise<void>(resolve => process.send?.(message, () => resolve()));
}
