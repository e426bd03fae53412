import type { PageCounts } from '../../contract/activities';
import { COUNTED, OUTCOMES } from '../../contract/progress';
import { GOOD } from './documents';

const outcomes = OUTCOMES.map(
  (outcome) => `(count(*) FILTER (WHERE outcome = '${outcome}'))::int AS ${outcome}`,
);

/** A person gave it up (`skipDocuments`). */
const GIVEN_UP = `outcome = 'skipped' AND failure_type = 'GivenUp'`;

/**
 * The documents of a group, counted by outcome and by stage. A stage includes every document of the next
 * stage. So a superseded document counts as signed, although it may have no signature.
 */
export const COUNTS = `(count(*) FILTER (WHERE outcome IS NULL))::int AS open, ${outcomes.join(', ')},
  (count(*) FILTER (WHERE ${GIVEN_UP}))::int AS "givenUp",
  (count(*) FILTER (WHERE event_id IS NOT NULL))::int AS encrypted,
  (count(*) FILTER (WHERE signature IS NOT NULL OR outcome = 'superseded'))::int AS signed,
  (count(*) FILTER (WHERE sent_at IS NOT NULL))::int AS sent,
  (count(*) FILTER (WHERE outcome IN ${GOOD}))::int AS standing`;

export type CountsRow = Record<keyof PageCounts, number>;

const NAMES = ['open', ...COUNTED, 'encrypted', 'signed', 'sent', 'standing'] as const;

/** The counts as a page returns them, without the zeros. */
export function countsOf(row: CountsRow): PageCounts {
  return Object.fromEntries(NAMES.flatMap((name) => (row[name] > 0 ? [[name, row[name]]] : [])));
}

/** Adds `counts` to `sum`. */
export function addCounts(sum: PageCounts, counts: PageCounts): void {
  for (const name of NAMES) if (counts[name] !== undefined) sum[name] = (sum[name] ?? 0) + counts[name];
}

/** At most 100 characters: the name of a machine goes into workflow history and may have any length. */
export const MACHINE_NAME = 'left(machine_name, 100) AS "machineName"';

/** The columns of a failed document as a DocumentFailure. */
export const FAILURE_COLUMNS = `document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME},
  failure_type AS type, coalesce(failure_message, '') AS message`;
