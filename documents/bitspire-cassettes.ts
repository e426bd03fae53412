import { z } from 'zod';
import { RepublishError } from '../contract/failures';
import { defineDocumentType, type StateRow } from './document-type';
import { lastTime, type LastTime } from './last-time';

const TABLE = 'cassette_configs';
/** Columns that one message names. */
const MAX_PROBLEMS = 5;

const slot = z.looseObject({ denomination: z.int().min(1), count: z.int().min(0) });

/** z.record alone does not check a key `__proto__`. */
const slots = z
  .custom<Record<string, unknown>>(
    isObjectOfPositions,
    'must be an object with at least one position, each key a whole number such as "1"',
  )
  .pipe(z.record(z.string(), slot));

/**
 * The content of each cassette of a machine, format v1.1 of the extension, by position in ascending order:
 * `{"positions":{"1":{"denomination":20,"count":100}}}`. `denomination` is in whole units of the machine's
 * currency, `count` in notes.
 *
 * From the table `cassette_configs`, one row for each position. Rows are created only from what the machine
 * reports at its first boot; later edits change denomination and count. `state_count` is the value of that
 * first boot, so it proves nothing about today.
 *
 * Assumptions, because the extension's own checks are not public: a position or a count of 0 is valid (empty
 * cassettes exist, and rows with position 0 can only come from a machine that counts from 0); `updated_at` is
 * the time of the last edit.
 */
export const bitspireCassettes = defineDocumentType({
  type: 'bitspire-cassettes',
  source: { table: TABLE },
  schema: z.looseObject({ positions: slots }),
  assemble: (rows) => {
    const sorted = byPosition(rows);
    requireColumns(sorted);
    return {
      positions: Object.fromEntries(
        sorted.map(({ position, denomination, count }) => [String(position), { denomination, count }]),
      ),
    };
  },
  withoutState: 'has not reported yet',
  resetsMachineState: (rows) => ({
    everyMachine:
      "Publishing sets the machine's counts to those that LNbits has: correct them there first, best right " +
      'after a refill.',
    thisMachine:
      `Last edited ${edited(lastTime(rows, 'updated_at'))}; ` +
      `the machine ${reported(lastTime(rows, 'state_at'))}.`,
  }),
});

function byPosition(rows: StateRow[]): StateRow[] {
  const positions = rows.map(({ position }) => position);
  for (const position of positions) {
    if (!Number.isSafeInteger(position) || Number(position) < 0) {
      throw new RepublishError('StateInvalid', `${TABLE}.position: must be a whole number, 0 or more`);
    }
  }
  if (new Set(positions).size !== positions.length) {
    throw new RepublishError(
      'StateInvalid',
      `${TABLE}.position: two cassettes of the machine have the same position`,
    );
  }
  return rows.toSorted((a, b) => Number(a.position) - Number(b.position));
}

/** Names the columns that a person corrects. The schema would name only the path in the state. */
function requireColumns(rows: StateRow[]): void {
  const problems = rows.flatMap(({ position, ...row }) =>
    (['denomination', 'count'] as const).flatMap((column) => {
      const judged = slot.shape[column].safeParse(row[column]);
      if (judged.success) return [];
      const rule = column === 'denomination' ? '1 or more' : '0 or more';
      return `${TABLE}.${column} at position ${String(position)}: must be a whole number, ${rule}`;
    }),
  );
  if (problems.length === 0) return;
  const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : '';
  throw new RepublishError('StateInvalid', problems.slice(0, MAX_PROBLEMS).join('; ') + more);
}

function isObjectOfPositions(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return (
    keys.length > 0 && keys.every((key) => /^(0|[1-9]\d*)$/.test(key) && Number.isSafeInteger(Number(key)))
  );
}

function edited(time: LastTime): string {
  return time instanceof Date ? inUtc(time) : 'at an unknown time';
}

function reported(time: LastTime): string {
  if (time instanceof Date) return `last reported ${inUtc(time)}`;
  return time === 'never' ? 'has never reported' : 'last reported at an unknown time';
}

function inUtc(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
