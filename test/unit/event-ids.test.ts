import { randomBytes } from 'node:crypto';
import { unpackEvents } from '../../workflows/event-ids';

test.each([0, 1, 2, 3, 4, 5, 1_000])('%i ids come out as they went in', (count) => {
  const ids = Array.from({ length: count }, () => randomBytes(32).toString('hex'));
  const packed = Buffer.from(ids.join(''), 'hex').toString('base64url');
  expect(unpackEvents({ fees: packed, none: '' })).toEqual({ fees: ids, none: [] });
});
