import { z } from 'zod';
import { defineDocumentType } from '../../documents/document-type';

/** When a machine is open, by day: a third document type, made as a developer would make it. */
export const bitspireOperatorHours = defineDocumentType({
  type: 'bitspire-operator-hours',
  source: { table: 'bitspire_operator_hours' },
  schema: z.looseObject({ timezone: z.string().min(1), opens: z.string(), closes: z.string() }),
  assemble: (rows) => rows[0],
});
