import { canBeStored } from '../contract/free-text';
import type { RepublishInput } from '../contract/input';
import { problemOfId } from './ids';

const MAX_PROBLEMS = 10;
/** Each list travels in the input of each page of machines. */
const MAX_LIST_LENGTH = 1_000;

const KNOWN_KEYS: ReadonlySet<string> = new Set<keyof RepublishInput>([
  'operatorUserId',
  'documentTypes',
  'machineIds',
  'expectedPubkey',
  'force',
  'resetCounts',
  'onFailure',
  'reason',
]);

/**
 * What is wrong with an input that came over the wire, as sentences; empty when it is sound. Hand-written
 * because it runs inside the workflow, where no validation library belongs.
 *
 * Unknown keys are refused: `documentType` for `documentTypes` would otherwise republish everything.
 */
export function problemsOfInput(input: unknown): string[] {
  const problems = allProblemsOfInput(input);
  // The message goes into history: an input of a hundred thousand wrong keys must not outgrow it.
  return problems.length <= MAX_PROBLEMS
    ? problems
    : [...problems.slice(0, MAX_PROBLEMS), `and ${problems.length - MAX_PROBLEMS} more`];
}

function allProblemsOfInput(input: unknown): string[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return ['the input must be a JSON object such as {"operatorUserId": "..."}'];
  }
  const fields = input as Record<string, unknown>;
  const problems: string[] = [];
  for (const key of Object.keys(fields)) {
    if (!KNOWN_KEYS.has(key))
      // As JSON, because half of a surrogate pair could not be sent to Temporal in a message.
      problems.push(
        `unknown key ${JSON.stringify(key.slice(0, 60))}; known are ${[...KNOWN_KEYS].join(', ')}`,
      );
  }
  const problemOfOperator = problemOfId('operatorUserId', fields.operatorUserId);
  if (problemOfOperator !== undefined) problems.push(problemOfOperator);
  problems.push(
    ...problemsOfList('documentTypes', fields.documentTypes, (name, entry) =>
      isText(entry, 200) ? undefined : `${name} must be a text of 1 to 200 characters`,
    ),
    ...problemsOfList('machineIds', fields.machineIds, problemOfId),
  );
  const { expectedPubkey } = fields;
  if (
    expectedPubkey != null &&
    (typeof expectedPubkey !== 'string' || !/^[0-9a-f]{64}$/.test(expectedPubkey))
  ) {
    problems.push('expectedPubkey must be 64 lower-case hex characters');
  }
  for (const key of ['force', 'resetCounts'] as const) {
    if (fields[key] != null && typeof fields[key] !== 'boolean')
      problems.push(`${key} must be true or false`);
  }
  if (fields.resetCounts === true && fields.force !== true)
    problems.push('resetCounts goes with force: without it nothing is signed that stands unchanged');
  if (fields.onFailure != null && fields.onFailure !== 'report' && fields.onFailure !== 'hold') {
    problems.push('onFailure must be "report" or "hold"');
  }
  const { reason } = fields;
  if (reason != null && (typeof reason !== 'string' || reason.length > 500 || !canBeStored(reason))) {
    problems.push('reason must be a text of at most 500 characters');
  }
  return problems;
}

function problemsOfList(
  key: string,
  list: unknown,
  problemOf: (name: string, entry: unknown) => string | undefined,
): string[] {
  if (list == null) return [];
  if (!Array.isArray(list) || list.length === 0)
    return [`${key} must be a list of one or more texts, or be left out for all`];
  if (list.length > MAX_LIST_LENGTH)
    return [`${key} has ${list.length} entries, at most ${MAX_LIST_LENGTH} are taken; leave it out for all`];
  for (const [index, entry] of list.entries()) {
    const problem = problemOf(`${key}: entry ${index + 1}`, entry);
    if (problem !== undefined) return [problem];
  }
  return [];
}

/** The input with keys left out that other languages send as null, and with lists that name nothing twice. */
export function normalisedInput(input: RepublishInput): RepublishInput {
  const present = Object.fromEntries(
    Object.entries(input).filter(([, value]) => value != null),
  ) as unknown as RepublishInput;
  const { documentTypes, machineIds } = present;
  return {
    ...present,
    ...(documentTypes === undefined ? {} : { documentTypes: [...new Set(documentTypes)] }),
    ...(machineIds === undefined ? {} : { machineIds: [...new Set(machineIds)] }),
  };
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= maxLength && canBeStored(value);
}
