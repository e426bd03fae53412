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
