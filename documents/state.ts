import { types } from 'node:util';
import { isFailureType, RepublishError, traitsOf } from '../contract/failures';
import type { DocumentType, StateRow } from './document-type';
import { MAX_DEPTH, readExactJson } from './exact-json';
import { plainText } from './plain-value';
import { documentTypes } from './registry';
import { problemsText, quotesAnyOf } from './schema-problems';

/** What a machine is sent. */
export interface SerialisedState {
  /** The JSON text of the document. */
  plaintext: string;
  /** Of a type that resets what the machine counts: what is set to what, for a person. */
  resets?: string;
}

/**
 * The plaintext of a machine's document, or undefined where the database has no state for it.
 *
 * Rows with one column `state` (beside `machine_id`) give the document as it is, json or JSON text: it is
 * published as the database spells it, only without insignificant white space. Any other rows are assembled
 * by the type. Either way a number that would not reach the machine with the same value is refused. Messages
 * name paths and rules, never values: the state is a secret of the machine.
 *
 * @param rows JSON texts of objects with the column names as keys
 * @param maxBytes ceiling of the UTF-8 plaintext
 * @throws RepublishError StateInvalid, StateTooLarge, and what the type itself throws
 */
export function serialiseState(
  type: DocumentType,
  rows: readonly string[],
  maxBytes: number,
): SerialisedState | undefined {
  const columns = rows.map((row, index) => readRow(row, rows.length === 1 ? [] : ['rows', index]));
  const state = documentOf(type, columns, maxBytes);
  if (state === undefined) return undefined;

  // The size is judged first, so that no schema takes long over a state that is refused anyway.
  const bytes = Buffer.byteLength(state.plaintext, 'utf8');
  if (bytes > maxBytes) {
    throw new RepublishError('StateTooLarge', `the state has ${bytes} bytes, the ceiling is ${maxBytes}`);
  }
  requireSchema(type, state.value);
  const { resetsMachineState } = type;
  if (resetsMachineState === undefined) return { plaintext: state.plaintext };
  const stateRows = columns.map(({ row }) => row);
  return {
    plaintext: state.plaintext,
    resets: guarded(type, 'resetsMachineState', stateRows, () => String(resetsMachineState(stateRows))),
  };
}

interface Columns {
  row: StateRow;
  /** The JSON text of each column. */
  texts: ReadonlyMap<string, string>;
}

/** A row without the machine's id: it is how the row was found, and the machine has no use for it. */
function readRow(text: string, path: readonly PropertyKey[]): Columns {
  // A document in the column `state` has its full depth.
  const { value, members } = readExactJson(text, path, MAX_DEPTH + 1);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RepublishError('StateInvalid', 'a row of the state query is no JSON object');
  }
  const { machine_id: _, ...row } = value as StateRow;
  return { row, texts: new Map([...members].filter(([column]) => column !== 'machine_id')) };
}

interface Document {
  plaintext: string;
  /** What a reader of the plaintext gets. */
  value: unknown;
}

function documentOf(type: DocumentType, columns: readonly Columns[], maxBytes: number): Document | undefined {
  const [first] = columns;
  if (first === undefined) return undefined;
  const whole = first.texts.size === 1 ? first.texts.get('state') : undefined;
  if (whole !== undefined) {
    if (columns.length > 1) {
      throw new RepublishError('StateInvalid', 'the query gives more than one state for the machine');
    }
    return documentAsItIs(whole);
  }
  const rows = columns.map(({ row }) => row);
  const assembled = guarded(type, 'assemble', rows, () => type.assemble(rows));
  if (assembled === null) return undefined;
  if (assembled === undefined)
    throw new RepublishError(
      'StateInvalid',
      'assemble of the document type gave undefined: is a "return" missing? null means that there is no state',
    );
  if (types.isPromise(assembled))
    throw new RepublishError('StateInvalid', 'assemble of the document type must not be async');
  const plaintext = plainText(assembled, maxBytes);
  return { plaintext, value: JSON.parse(plaintext) };
}

/** @param column json, or a JSON string that holds JSON text */
function documentAsItIs(column: string): Document | undefined {
  const text = column.startsWith('"') ? (JSON.parse(column) as string) : column;
  const { value, compact } = readExactJson(text);
  return value === null ? undefined : { plaintext: compact, value };
}

function requireSchema(type: DocumentType, state: unknown): void {
  const problems = guarded(type, 'schema', state, () => {
    const judged = type.schema.safeParse(state);
    return judged.success ? undefined : problemsText(judged.error.issues, state);
  });
  if (problems !== undefined) throw new RepublishError('StateInvalid', problems);
}

/**
 * Runs code of a type. What it throws may quote the state: only a RepublishError keeps its message, and of a
 * type that is not shipped only one in which no value of the state is found.
 *
 * @param state what the code was given
 */
function guarded<T>(type: DocumentType, part: string, state: unknown, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!isRepublishError(error)) throw new RepublishError('StateInvalid', notShown(part, error));
    // Any other type would be told with a remedy for something else.
    if (!isFailureType(error.type) || !traitsOf(error.type).ofState)
      throw new RepublishError(
        'StateInvalid',
        `${part} of the document type threw a RepublishError of a type that is none of a state: throw new RepublishError('StateInvalid', '<path>: <rule>')`,
      );
    if (!documentTypes.includes(type) && quotesAnyOf(state, error.message))
      throw new RepublishError(
        error.type,
        `${part} of the document type refused this state; its message is not shown, because it quotes the state: name paths and rules, never values`,
      );
    throw new RepublishError(error.type, error.message);
  }
}

function notShown(part: string, error: unknown): string {
  // Of the language, so that the name is none that the state could have made.
  const kind = STANDARD_ERRORS.find((standard) => error instanceof standard)?.name ?? 'something';
  return `${part} of the document type threw ${kind} on this state; its message is not shown, because it may quote the state. To have one shown: throw new RepublishError('StateInvalid', '<path>: <rule>')`;
}

const STANDARD_ERRORS = [TypeError, RangeError, SyntaxError, ReferenceError, Error];

/** Also one of another copy of this package, which a module with document types may have. */
function isRepublishError(error: unknown): error is { type: unknown; message: string } {
  if (error instanceof RepublishError) return true;
  if (typeof error !== 'object' || error === null) return false;
  const { name, message } = error as { name?: unknown; message?: unknown };
  return name === 'RepublishError' && typeof message === 'string';
}
