import { z } from 'zod';
import { defineDocumentType } from './document-type';

export const bitspireFees = defineDocumentType({
  type: 'bitspire-fees',
  source: {
    sql: `SELECT machine.id AS machine_id, super.super_cash_in_fee_fraction, super.super_cash_out_fee_fraction,
                 machine.operator_cash_in_fee_fraction, machine.operator_cash_out_fee_fraction
            FROM {dca_machines} AS machine LEFT JOIN {super_config} AS super ON 1 = 1`,
  },
  schema: z.looseObject({ schema_version: z.int() }),
  assemble: ([row = {}]) => ({ schema_version: 1, ...row }),
});
