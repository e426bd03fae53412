/**
 * A document type of your own. `republish.config.json` names this file; the worker and every command load it.
 */
import { defineDocumentType, z } from 'republish-operator-configs/documents';

export default defineDocumentType({
  // The d tag is operator-hours:<machine's public key>.
  type: 'operator-hours',
  // A table of the extension with a column `machine_id`. "queries.documents.operator-hours" can replace it.
  source: { table: 'operator_hours' },
  // It only judges: keys that it does not name are published, too.
  schema: z.looseObject({
    timezone: z.string().min(1),
    days: z.array(z.object({ day: z.int().min(0).max(6), opens: z.string(), closes: z.string() })).min(1),
  }),
  // The machine's rows, one for each day, become one document. The rows of a table have no order.
  assemble: (rows) => ({
    timezone: rows[0].timezone,
    days: rows
      .map(({ day, opens, closes }) => ({ day, opens, closes }))
      .sort((one, other) => one.day - other.day),
  }),
  // Shown for a machine without rows: "skipped: keeps no hours".
  withoutState: 'keeps no hours',
});
