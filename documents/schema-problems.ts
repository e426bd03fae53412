import { z } from 'zod';
import { pathText } from './path';

const MAX_PROBLEMS = 5;

/** An issue that a schema reports; other versions of zod have the same shape. */
interface Issue {
  code?: string | undefined;
  path: readonly PropertyKey[];
  message: string;
}

const standardText = z.locales.en().localeError;

/**
 * At most five of the problems, as `state.positions["1"].count: <rule>`. A custom message of a schema may
 * quote the refused value (`error: ({ input }) => ...`): a message that contains a value of the state is
 * replaced by zod's own text for the rule.
 */
export function problemsText(issues: readonly Issue[], state: unknown): string {
  const shown = issues.slice(0, MAX_PROBLEMS);
  const values = scalarsIn(state);
  return shown
    .map((issue) => `${pathText(['state', ...issue.path])}: ${messageOf(issue, state, values)}`)
    .join('; ');
}

function messageOf(issue: Issue, state: unknown, values: ReadonlySet<string>): string {
  if (issue.code === 'unrecognized_keys') return 'has keys that the document type does not know';
  const standard = standardOf(issue, state);
  return issue.message === standard || !quotesOneOf(values, issue.message) ? issue.message : standard;
}

function standardOf(issue: Issue, state: unknown): string {
  if (issue.code === 'custom') return 'is refused by a rule of the document type';
  try {
    // The issue has no input, and the text names the type of the input.
    const text = standardText({ ...issue, input: valueAt(state, issue.path) } as never);
    return (typeof text === 'string' ? text : text?.message) ?? 'Invalid input';
  } catch {
    return 'Invalid input';
  }
}

function valueAt(state: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<PropertyKey, unknown>)[step]
        : undefined,
    state,
  );
}

/** Whether a message contains a text or number of the state. */
export function quotesAnyOf(state: unknown, message: string): boolean {
  return quotesOneOf(scalarsIn(state), message);
}

/** The texts and numbers of a state. true, false and null reveal nothing. */
function scalarsIn(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value === 'string' && value.trim() !== '') found.add(value);
  else if (typeof value === 'number') found.add(String(Math.abs(value)));
  else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) scalarsIn(inner, found);
  }
  return found;
}

/** Whether a message contains a value: a short value as a separate word, a longer one anywhere. */
function quotesOneOf(values: ReadonlySet<string>, message: string): boolean {
  const words = message.split(/[^\p{L}\p{N}.]+/u).map((word) => word.replace(/^\.+|\.+$/g, ''));
  if (words.some((word) => values.has(word))) return true;
  for (const value of values) if (value.length >= 4 && message.includes(value)) return true;
  return false;
}
