import { z } from 'zod';
import { defineDocumentType } from './document-type';

export const bitspireCassettes = defineDocumentType({
  type: 'bitspire-cassettes',
  source: { table: 'cassette_configs' },
  schema: z.looseObject({}),
  assemble: (rows) => ({
    positions: Object.fromEntries(
      rows.map(({ position, denomination, count }) => [String(position), { denomination, count }]),
    ),
  }),
  withoutState: 'has not reported yet',
  resetsMachineState: () => 'resets',
});
