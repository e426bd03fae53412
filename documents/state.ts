import { types } from 'node:util';
import { isFailureType, RepublishError, traitsOf } from '../contract/failures';
import type { DocumentType, ResetWarning, StateRow } from './document-type';
import { MAX_DEPTH, readExactJson } from './exact-json';
import { plainText } from './plain-value';
import { documentTypes } from './registry';
import { problemsText, quotesAnyOf } from './schema-problems';

/** The state as a machine gets it. */
export interface SerialisedState {
  /** The JSON text of the document. */
  plaintext: string;
  /** What is set, for a person, if the type sets values that the machine counts. */
  resets?: ResetWarning;
}

/**
 * The plaintext of a machine's document, or undefined if the source has no state for it.
 *
 * A row with the one column `state` (and `machine_id`) is the document itself, as json or as JSON text: it is
 * published as the database spells it, without insignificant white space. Other rows are assembled by the
 * type. In both cases a number that would not reach the machine with the same value is refused. Messages name
 * paths and rules, never values: the state is a secret of the machine.
 *
 * @param rows JSON texts of objects with the column names as keys
 * @param maxBytes ceiling of the UTF-8 plaintext
 * @throws RepublishError StateInvalid, StateTooLarge, and the errors of the type
 */
export function serialiseState(
  type: DocumentType,
  rows: readonly string[],
  maxBytes: number,
): SerialisedState | undefined {
  const columns = rows.map((row, index) => readRow(row, rows.length === 1 ? [] : ['rows', index]));
  const state = documentOf(type, columns, maxBytes);
  if (state === undefined) return undefined;

  // The size is checked first, so that a schema never works on a state that is refused anyway.
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
    resets: guarded(type, 'resetsMachineState', stateRows, () => warningOf(resetsMachineState(stateRows))),
  };
}

/** Code from outside the package may return anything. */
function warningOf(told: string | ResetWarning): ResetWarning {
  if (typeof told === 'string') return { everyMachine: told };
  const { everyMachine, thisMachine } = told;
  return {
    everyMachine: String(everyMachine),
    ...(thisMachine === undefined ? {} : { thisMachine: String(thisMachine) }),
  };
}

interface Columns {
  row: StateRow;
  /** The JSON text of each column. */
  texts: ReadonlyMap<string, string>;
}

/** A row without the machine's id: the row was found by it, and the machine does not need it. */
function readRow(text: string, path: readonly PropertyKey[]): Columns {
  // A document in the column `state` may use the full depth.
  const { value, members } = readExactJson(text, path, MAX_DEPTH + 1);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RepublishError('StateInvalid', 'a row of the state query is no JSON object');
  }
  const { machine_id: _, ...row } = value as StateRow;
  return { row, texts: new Map([...members].filter(([column]) => column !== 'machine_id')) };
}

interface Document {
  plaintext: string;
  /** The value that a reader of the plaintext gets. */
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
      'assemble of the document type gave undefined: is a "return" missing? null means that ' +
        'there is no state',
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
 * Runs code of a type. Its errors may quote the state. So only a RepublishError keeps its message, and for a
 * type that is not shipped only if the message contains no value of the state.
 *
 * @param state what the code was given
 */
function guarded<T>(type: DocumentType, part: string, state: unknown, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!isRepublishError(error)) throw new RepublishError('StateInvalid', notShown(part, error));
    // Any other type would be shown with a remedy for something else.
    if (!isFailureType(error.type) || !traitsOf(error.type).ofState)
      throw new RepublishError(
        'StateInvalid',
        `${part} of the document type threw a RepublishError of a type that is none of a state: throw ` +
          `new RepublishError('StateInvalid', '<path>: <rule>')`,
      );
    if (!documentTypes.includes(type) && quotesAnyOf(state, error.message))
      throw new RepublishError(
        error.type,
        `${part} of the document type refused this state; its message is not shown, because it quotes ` +
          `the state: name paths and rules, never values`,
      );
    throw new RepublishError(error.type, error.message);
  }
}

function notShown(part: string, error: unknown): string {
  // Only names of standard errors are shown: the state cannot have made them.
  const kind = STANDARD_ERRORS.find((standard) => error instanceof standard)?.name ?? 'something';
  return (
    `${part} of the document type threw ${kind} on this state; its message is not shown, because it ` +
    `may quote the state. To have one shown: throw new RepublishError('StateInvalid', '<path>: <rule>')`
  );
}

const STANDARD_ERRORS = [TypeError, RangeError, SyntaxError, ReferenceError, Error];

/** Also a RepublishError of another copy of this package, as a module may have it. */
function isRepublishError(error: unknown): error is { type: unknown; message: string } {
  if (error instanceof RepublishError) return true;
  if (typeof error !== 'object' || error === null) return false;
  const { name, message } = error as { name?: unknown; message?: unknown };
  return name === 'RepublishError' && typeof message === 'string';
}
