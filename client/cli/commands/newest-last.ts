import { print } from '../output';
import { fittedTable } from '../terminal/table';

/** The audit of a run or of a fleet, as far as a line shows it. */
interface AuditLine {
  /** ISO 8601. */
  writtenAt: string;
  outcome: string;
  runId: string;
}

interface NewestLast<Row> {
  /** Shows every audit in full. Default: only the newest; the others have a line each. */
  full?: true | undefined;
  showInFull(row: Row): void;
  /** Heads of the columns for `good` and for the run id. */
  heads: [good: string, runId: string];
  /** How much of it is good, such as `6 of 8`. */
  good(row: Row): string;
}

/**
 * Shows audits so that the newest is the last one: a person sees that one when the others have scrolled away.
 *
 * @param rows newest first
 */
export function showNewestLast<Row extends AuditLine>(
  [newest, ...earlier]: readonly Row[],
  { full, showInFull, heads: [good, runId], good: goodOf }: NewestLast<Row>,
): void {
  if (newest === undefined) return;
  const rising = earlier.toReversed();
  if (full) rising.forEach(showInFull);
  else if (rising.length > 0) {
    const lines = rising.map((row) => [minuteOf(row.writtenAt), row.outcome, goodOf(row), row.runId]);
    print(`${fittedTable(['ended (UTC)', 'outcome', good, runId], lines)}\n`);
  }
  showInFull(newest);
}

/** Such as `2026-11-27 10:00`. @param at ISO 8601 */
function minuteOf(at: string): string {
  return at.slice(0, '2026-11-27T10:00'.length).replace('T', ' ');
}
