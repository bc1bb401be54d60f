/** Finds old uses in one file. */
import { parse, parseExpression, type ParserPlugin } from '@babel/parser';
import type { Node } from '@babel/types';
import { type Rule, RULES } from './rules';
import { Variables } from './things';
import { walk } from './walk';

export interface Finding {
  /** Both count from 1. */
  line: number;
  column: number;
  /** As it stands there. */
  old: string;
  rule: Rule;
}

/** The longest excerpt, in characters. */
const EXCERPT = 70;

/** @throws SyntaxError if the source is none */
export function check(source: string, path: string): Finding[] {
  const variables = new Variables();
  const root = parseFile(source, path);
  for (const { node } of walk(root)) variables.learn(node);
  const findings: Finding[] = [];
  for (const { node, parents } of walk(root))
    for (const rule of RULES) if (rule.matches({ node, parents, path, variables })) findings.push(findingAt(node, source, rule));
  return findings.sort((one, other) => one.line - other.line || one.column - other.column);
}

function parseFile(source: string, path: string): Node {
  if (path.endsWith('.json')) return parseExpression(source);
  const isTypeScript = /\.[cm]?tsx?$/.test(path);
  const plugins: ParserPlugin[] = isTypeScript ? ['typescript', 'decorators-legacy'] : ['flow', 'decorators-legacy'];
  if (!/\.[cm]?ts$/.test(path)) plugins.push('jsx'); // in .ts `<Type>value` is a cast
  const { program } = parse(source, {
    sourceType: 'unambiguous',
    errorRecovery: true, // what is only forbidden, as the same name twice, can be read all the same
    plugins,
    allowReturnOutsideFunction: true,
    allowAwaitOutsideFunction: true,
    allowUndeclaredExports: true,
  });
  return program;
}

function findingAt(node: Node, source: string, rule: Rule): Finding {
  const { line, column } = node.loc?.start ?? { line: 1, column: 0 }; // the parser gives it to every node
  const text = source.slice(node.start ?? 0, node.end ?? 0).replaceAll(/\s+/g, ' ');
  return { line, column: column + 1, old: text.length > EXCERPT ? `${text.slice(0, EXCERPT - 1)}…` : text, rule };
}
