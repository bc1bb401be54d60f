/** Finds the name that a misspelt one probably means. */

/** The most similar name. Undefined if none is similar enough for a typing mistake. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const scored = names
    .map(other => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.ceil(name.length / 3));
  return scored.sort((one, other) => one.distance - other.distance)[0]?.other;
}

/** The Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, char] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (char === other ? 0 : 1)));
    row = next;
  }
  return row.at(-1) ?? 0;
}
