import type { Behind, DocumentPosition } from '../../contract/activities';
import type { DocumentSelection } from '../../contract/control';
import type { Queryable } from '../connection';
import { NUMBER } from './documents';

type Selection = Pick<DocumentSelection, 'documentType' | 'machineId'>;

export interface Page {
  after?: DocumentPosition | undefined;
  upTo?: DocumentPosition | undefined;
  selection?: Selection | undefined;
  limit: number;
}

export interface OpenDocument {
  machineId: string;
  machineName: string;
  documentType: string;
  number: number;
}

/** A document's place in the order of a run. The index documents_in_order has it; it depends on no locale. */
const POSITION = '(machine_id COLLATE "C", document_type COLLATE "C")';

/** A page of the documents that have no outcome yet, in the order of machines and types. */
export function openDocuments(
  db: Queryable,
  runId: string,
  { after, upTo, selection = {}, limit }: Page,
): Promise<OpenDocument[]> {
  return db.query<OpenDocument>(
    `SELECT machine_id AS "machineId", machine_name AS "machineName", document_type AS "documentType", ${NUMBER}
       FROM republish.documents
      WHERE run_id = $1 AND outcome IS NULL
        AND ($2::text IS NULL OR ${POSITION} > ($2::text, $3::text))
        AND ($4::text IS NULL OR ${POSITION} <= ($4::text, $5::text))
        AND ($6::text IS NULL OR machine_id = $6) AND ($7::text IS NULL OR document_type = $7)
      ORDER BY machine_id COLLATE "C", document_type COLLATE "C" LIMIT $8`,
    [
      runId,
      after?.machineId ?? null,
      after?.documentType ?? null,
      upTo?.machineId ?? null,
      upTo?.documentType ?? null,
      selection.machineId ?? null,
      selection.documentType ?? null,
      limit,
    ],
  );
}

/**
 * Documents up to a position, less some, that were tried and have no outcome, by document type: all of them, and those of a
 * selection.
 */
export async function leftBehind(
  db: Queryable,
  runId: string,
  { upTo, except }: NonNullable<Behind['behind']>,
  selection: Selection,
): Promise<{ behind: Record<string, number>; selected: number }> {
  const rows = await db.query<{ documentType: string; behind: number; selected: number }>(
    `SELECT document_type AS "documentType", count(*)::int AS behind,
            (count(*) FILTER (WHERE ($6::text IS NULL OR machine_id = $6)
                                AND ($7::text IS NULL OR document_type = $7)))::int AS selected
       FROM republish.documents
      WHERE run_id = $1 AND outcome IS NULL AND ${POSITION} <= ($2::text, $3::text)
        AND (attempts > 0 OR event_id IS NOT NULL OR failure_type IS NOT NULL)
        AND (machine_id, document_type) NOT IN (SELECT * FROM unnest($4::text[], $5::text[]))
      GROUP BY document_type`,
    [
      runId,
      upTo.machineId,
      upTo.documentType,
      except.map(({ machineId }) => machineId),
      except.map(({ documentType }) => documentType),
      selection.machineId ?? null,
      selection.documentType ?? null,
    ],
  );
  return {
    behind: Object.fromEntries(rows.map(({ documentType, behind }) => [documentType, behind])),
    selected: rows.reduce((sum, { selected }) => sum + selected, 0),
  };
}
