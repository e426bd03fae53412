import type { PageCounts } from '../../contract/activities';
import { OUTCOMES } from '../../contract/progress';
import { GOOD } from './documents';

const outcomes = OUTCOMES.map(
  (outcome) => `(count(*) FILTER (WHERE outcome = '${outcome}'))::int AS ${outcome}`,
);

/**
 * Documents of a group by outcome and by how far they are. Each stage has those of the next: a document that
 * was found superseded was perhaps never signed, and has come through all the same.
 */
export const COUNTS = `(count(*) FILTER (WHERE outcome IS NULL))::int AS open, ${outcomes.join(', ')},
  (count(*) FILTER (WHERE event_id IS NOT NULL))::int AS encrypted,
  (count(*) FILTER (WHERE signature IS NOT NULL OR outcome = 'superseded'))::int AS signed,
  (count(*) FILTER (WHERE sent_at IS NOT NULL))::int AS sent,
  (count(*) FILTER (WHERE outcome IN ${GOOD}))::int AS standing`;

export type CountsRow = Record<keyof PageCounts, number>;

const NAMES = ['open', ...OUTCOMES, 'encrypted', 'signed', 'sent', 'standing'] as const;

/** As they travel: what is 0 is left out. */
export function countsOf(row: CountsRow): PageCounts {
  return Object.fromEntries(NAMES.flatMap((name) => (row[name] > 0 ? [[name, row[name]]] : [])));
}

/** Adds the counts of one page to those of others. */
export function addCounts(sum: PageCounts, counts: PageCounts): void {
  for (const name of NAMES) if (counts[name] !== undefined) sum[name] = (sum[name] ?? 0) + counts[name];
}

/** Names of machines go into histories, where anything is as long as somebody lets it be. */
export const MACHINE_NAME = 'left(machine_name, 100) AS "machineName"';

/** Of a failed document, as a DocumentFailure. */
export const FAILURE_COLUMNS = `document_type AS "documentType", machine_id AS "machineId", ${MACHINE_NAME}, failure_type AS type,
  coalesce(failure_message, '') AS message`;
