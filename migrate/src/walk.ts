import type { Node } from '@babel/types';

export interface Step {
  node: Node;
  /** From the outermost to the nearest. */
  parents: readonly Node[];
}

/** Each node, parents first, as it stands in the source. */
export function* walk(node: Node, parents: readonly Node[] = []): Generator<Step> {
  yield { node, parents };
  const around = [...parents, node];
  for (const [key, value] of Object.entries(node)) {
    if (/comments$/i.test(key) || key === 'extra' || key === 'loc') continue;
    for (const child of Array.isArray(value) ? (value as unknown[]) : [value]) if (isNode(child)) yield* walk(child, around);
  }
}

function isNode(value: unknown): value is Node {
  return typeof (value as { type?: unknown } | null | undefined)?.type === 'string';
}
