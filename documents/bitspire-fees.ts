import { z } from 'zod';
import { defineDocumentType } from './document-type';

const percent = z.number().min(0).max(100);
const amount = z.number().min(0);

/** What a machine charges: percentages, a fixed fee and the amounts between which it trades, in units of the currency. */
export const bitspireFees = defineDocumentType({
  type: 'bitspire-fees',
  source: { table: 'bitspire_fees' },
  schema: z
    .looseObject({
      cash_in_percent: percent,
      cash_out_percent: percent,
      fixed_fee: amount,
      minimum_amount: amount,
      maximum_amount: amount,
    })
    .refine((fees) => fees.minimum_amount <= fees.maximum_amount, {
      path: ['minimum_amount'],
      message: 'the minimum amount is above the maximum amount',
    }),
  assemble: (rows) => rows[0],
});
