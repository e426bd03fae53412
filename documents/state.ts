import { RepublishError } from '../contract/failures';
import type { DocumentType, StateRow } from './document-type';

/**
 * The plaintext of a machine's document, or undefined where the database has no state for it.
 *
 * A query with one column named `state` gives the document as it is (json, jsonb or JSON text); any other query gives
 * rows that the type assembles. Messages name paths and rules, never values: the state is a secret of the machine.
 *
 * @param maxBytes ceiling of the UTF-8 plaintext
 * @throws RepublishError StateInvalid, StateTooLarge
 */
export function serialiseState(type: DocumentType, rows: StateRow[], maxBytes: number): string | undefined {
  const state = stateFromRows(type, rows);
  if (state === undefined || state === null) return undefined;

  requirePlain(state);
  const judged = type.schema.safeParse(state);
  if (!judged.success) {
    const problems = judged.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.join('.') || 'state'}: ${issue.message}`);
    throw new RepublishError('StateInvalid', problems.join('; '));
  }
  const plaintext = JSON.stringify(state);
  const bytes = Buffer.byteLength(plaintext, 'utf8');
  if (bytes > maxBytes) {
    throw new RepublishError('StateTooLarge', `the state has ${bytes} bytes, the ceiling is ${maxBytes}`);
  }
  return plaintext;
}

const MAX_DEPTH = 50;

/**
 * Refuses what would not come out of JSON as it went in: integers beyond 2^53, which lose their last digits, and nesting
 * that runs the stack full.
 */
function requirePlain(value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH)
    throw new RepublishError('StateInvalid', `the state is nested more than ${MAX_DEPTH} deep`);
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new RepublishError(
      'StateInvalid',
      'the state holds an integer beyond 2^53, which JSON numbers cannot carry: use text',
    );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const inner of Object.values(value)) requirePlain(inner, depth + 1);
}

function stateFromRows(type: DocumentType, rows: StateRow[]): unknown {
  // The machine's own id is how the row was found; the machine has no use for it.
  const columns = rows.map(({ machine_id: _, ...row }) => row);
  const [first] = columns;
  if (first === undefined) return undefined;
  if (Object.keys(first).join() === 'state') {
    if (rows.length > 1)
      throw new RepublishError('StateInvalid', 'the query gives more than one state for the machine');
    return typeof first.state === 'string' ? parseJson(first.state) : first.state;
  }
  return type.assemble(columns);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text.
    throw new RepublishError('StateInvalid', 'the state is not valid JSON');
  }
}
