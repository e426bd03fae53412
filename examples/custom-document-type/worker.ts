/**
 * A worker that republishes a document type of one's own beside the ones that the package knows. It is configured and
 * stopped as `republish worker` is, and takes its place.
 */
import { defineDocumentType, documentTypes, runWorker } from 'republish-operator-configs/worker';
import { z } from 'zod';

const operatorHours = defineDocumentType({
  // The d tag is operator-hours:<atm_pubkey>.
  type: 'operator-hours',
  // Read by machine_id, unless "queries.documents.operator-hours" says otherwise.
  source: { table: 'operator_hours' },
  // Judges only: what it does not name is published all the same.
  schema: z.looseObject({
    timezone: z.string().min(1),
    days: z.array(z.object({ day: z.number().min(0).max(6), opens: z.string(), closes: z.string() })).min(1),
  }),
  // The machine's rows, one for each day, become one document.
  assemble: (rows) => ({
    timezone: rows[0]?.timezone,
    days: rows.map(({ day, opens, closes }) => ({ day, opens, closes })),
  }),
});

runWorker({ documentTypes: [...documentTypes, operatorHours] }).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
