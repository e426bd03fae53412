import type { FleetInput } from '../contract/fleet';
import type { RepublishInput } from '../contract/input';
import { problemOfId } from './ids';
import { problemsOfInput } from './input';

const MAX_OPERATORS_AT_ONCE = 200;
/** The list travels in one payload, once. */
const MAX_OPERATORS = 20_000;

const KNOWN_KEYS: ReadonlySet<string> = new Set<keyof FleetInput>([
  'operators',
  'all',
  'operatorsAtOnce',
  'documentTypes',
  'force',
  'resetCounts',
  'onFailure',
  'reason',
]);

/** What is wrong with an input that came over the wire, as sentences; empty when it is sound. */
export function problemsOfFleetInput(input: unknown): string[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return ['the input must be a JSON object such as {"operators": ["..."]} or {"all": true}'];
  const problems: string[] = [];
  const { operators, all, operatorsAtOnce, ...shared } = input as Record<string, unknown>;
  const unknown = Object.keys(shared).filter((key) => !KNOWN_KEYS.has(key));
  for (const key of unknown.slice(0, 5)) {
    problems.push(`unknown key ${JSON.stringify(key.slice(0, 60))}; known are ${[...KNOWN_KEYS].join(', ')}`);
  }
  if (all != null && typeof all !== 'boolean') problems.push('all must be true or false');
  if ((operators != null) === (all === true)) problems.push('give either operators or "all": true');
  if (operators != null) problems.push(...problemsOfList(operators));
  if (operatorsAtOnce != null && !isCount(operatorsAtOnce))
    problems.push(`operatorsAtOnce must be a whole number from 1 to ${MAX_OPERATORS_AT_ONCE}`);
  const ofEachRun = Object.fromEntries(Object.entries(shared).filter(([key]) => KNOWN_KEYS.has(key)));
  return [...problems, ...problemsOfInput({ operatorUserId: 'each', ...ofEachRun })];
}

function problemsOfList(operators: unknown): string[] {
  if (!Array.isArray(operators) || operators.length === 0)
    return ['operators must be a list of one or more operator user ids'];
  if (operators.length > MAX_OPERATORS)
    return [
      `operators has ${operators.length} entries, at most ${MAX_OPERATORS} are taken; for more use "all" with "queries.operators"`,
    ];
  for (const [index, operator] of operators.entries()) {
    const problem = problemOfId(`operators: entry ${index + 1}`, operator);
    if (problem !== undefined) return [problem];
  }
  return [];
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_OPERATORS_AT_ONCE;
}

/** What each operator's run is asked for. */
export function requestOf(
  { documentTypes, force, resetCounts, onFailure, reason }: FleetInput,
  operatorUserId: string,
): RepublishInput {
  return {
    operatorUserId,
    ...(documentTypes == null ? {} : { documentTypes }),
    ...(force == null ? {} : { force }),
    ...(resetCounts == null ? {} : { resetCounts }),
    ...(onFailure == null ? {} : { onFailure }),
    ...(reason == null ? {} : { reason }),
  };
}
