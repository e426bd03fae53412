/**
 * A document type of one's own beside the ones that the package knows. `republish.config.json` names this
 * file; the worker and every command load it.
 */
import { defineDocumentType, z } from 'republish-operator-configs/documents';

export default defineDocumentType({
  // The d tag is operator-hours:<machine's public key>.
  type: 'operator-hours',
  // A table of the extension with a column `machine_id`, unless "queries.documents.operator-hours" says
  // otherwise.
  source: { table: 'operator_hours' },
  // Judges only: what it does not name is published all the same.
  schema: z.looseObject({
    timezone: z.string().min(1),
    days: z.array(z.object({ day: z.int().min(0).max(6), opens: z.string(), closes: z.string() })).min(1),
  }),
  // The machine's rows, one for each day, become one document. Rows of a table have no order of their own.
  assemble: (rows) => ({
    timezone: rows[0].timezone,
    days: rows
      .map(({ day, opens, closes }) => ({ day, opens, closes }))
      .sort((one, other) => one.day - other.day),
  }),
  // What is said of a machine without rows: skipped: keeps no hours.
  withoutState: 'keeps no hours',
});
