import { z } from 'zod';
import { defineDocumentType } from './document-type';

/** What each cassette of a machine holds: `{ cassettes: [{ position, denomination, count, currency }] }`. */
export const bitspireCassettes = defineDocumentType({
  type: 'bitspire-cassettes',
  source: { table: 'bitspire_cassettes' },
  schema: z.looseObject({
    cassettes: z
      .array(
        z.looseObject({
          position: z.int().min(0),
          denomination: z.number().positive(),
          count: z.int().min(0),
          currency: z.string().min(1).max(10),
        }),
      )
      .min(1)
      .refine((cassettes) => new Set(cassettes.map(({ position }) => position)).size === cassettes.length, {
        message: 'two cassettes have the same position',
      }),
  }),
  assemble: (rows) => ({ cassettes: rows.toSorted((a, b) => Number(a.position) - Number(b.position)) }),
});
